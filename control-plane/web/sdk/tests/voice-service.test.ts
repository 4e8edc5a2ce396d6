import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { Media } from "../src/runtime/media";
import { Microphone } from "../src/runtime/microphone";
import { type ServerEvent, Signaling } from "../src/runtime/signaling";
import { VoiceService } from "../src/voice-service";

const permissions = { audio: true, video: true, screenshare: true, maxBitrate: 64_000 };
const person = (name: string) => ({ userId: name, sessionId: name, muted: false, deafened: false, speaking: false, producers: [] });
const joined = {
  channelId: "lobby",
  sessionId: "me",
  participants: [person("Ada"), person("Ben")],
  permissions,
  limits: { participants: 25, videoPublishers: 6 },
  rtcConfig: { iceServers: [], iceTransportPolicy: "all" },
  roomSeq: 1,
};

let onEvent: (event: ServerEvent) => void;
let answer: (name: string) => unknown;
let produce: () => Promise<unknown>;

beforeEach(() => {
  produce = async () => ({ id: "producer", pause: () => undefined, close: () => undefined });
  answer = (name) => (name === "voice:join" ? joined : {});
  vi.stubGlobal("navigator", {});
  const socket = {
    connected: true,
    request: async (name: string) => answer(name),
    listen: (handler: typeof onEvent) => (onEvent = handler),
    onLost: () => undefined,
    close: () => undefined,
  };
  vi.spyOn(Signaling, "connect").mockImplementation(async () => socket as never as Signaling);
  vi.spyOn(Media, "open").mockImplementation(async (_request, _config, _device, steps) => {
    steps.capabilities();
    const transport = { getStats: async () => new Map(), closed: false, produce: () => produce() };
    return { close: () => undefined, send: transport, recv: transport } as never as Media;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const service = (token: () => string | Promise<string> = () => "token") => new VoiceService({ token, deviceId: "test" });
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("joinChannel", () => {
  it("fails with the very error that the token function threw", async () => {
    class NoToken extends Error {}
    const thrown = new NoToken("nobody is signed in");
    const voice = service(() => Promise.reject(thrown));
    const failure = await voice.joinChannel("lobby", { muted: true }).catch((error: unknown) => error);
    expect(failure).toBe(thrown);
    expect(voice.state).toBe("DISCONNECTED");
  });

  it("is given up by an AbortSignal", async () => {
    const controller = new AbortController();
    const tokens = [new Promise<string>(() => undefined)];
    const voice = service(() => tokens.shift() ?? "token");
    const joining = voice.joinChannel("lobby", { muted: true, signal: controller.signal });
    controller.abort("closed");
    await expect(joining).rejects.toMatchObject({ code: "CANCELLED", cause: "closed" });
    expect(voice.state).toBe("DISCONNECTED");
    await expect(voice.joinChannel("lobby", { signal: AbortSignal.abort("before") })).rejects.toMatchObject({
      code: "CANCELLED",
      cause: "before",
    });
    await voice.joinChannel("lobby", { muted: true });
    expect(voice.state).toBe("READY");
    await voice.leaveChannel();
  });
});

describe("a microphone that the server refuses after the join", () => {
  it("is shown as muted, here and to the others, is told, and unmuting tries again", async () => {
    const track = { enabled: true } as MediaStreamTrack;
    vi.spyOn(Microphone.prototype, "open").mockResolvedValue(track);
    vi.spyOn(Microphone.prototype, "track", "get").mockReturnValue(track);
    const told: string[] = [];
    answer = (name) => (told.push(name), name === "voice:join" ? joined : {});
    const works = produce;
    produce = async () => Promise.reject(new VoiceError("NODE_UNAVAILABLE", "in a moment"));
    const voice = service();
    const notices = vi.fn();
    voice.on("notice", notices);
    await voice.joinChannel("lobby", { muted: false });
    await settled();
    expect(notices.mock.calls).toMatchObject([[{ kind: "sourceFailed", source: "mic", error: { code: "NODE_UNAVAILABLE" } }]]);
    expect([voice.snapshot.muted, track.enabled]).toEqual([true, false]);
    expect(told).toContain("voice:state:update");
    produce = works;
    expect(await voice.setMuted(false)).toBe(false);
    expect([voice.snapshot.muted, track.enabled]).toEqual([false, true]);
    await voice.leaveChannel();
  });
});

describe("snapshot", () => {
  it("is one object until something changes, as useSyncExternalStore needs it", async () => {
    const voice = service();
    expect(voice.snapshot).toBe(voice.snapshot);
    await voice.joinChannel("lobby", { muted: true });
    await settled();
    const before = voice.snapshot;
    const changes = vi.fn();
    voice.on("change", changes);
    // A word that changes nothing.
    onEvent({ name: "voice:participant:state", payload: { ...person("Ada"), roomSeq: 2 } });
    await settled();
    expect(voice.snapshot).toBe(before);
    expect(changes).not.toHaveBeenCalled();

    onEvent({ name: "voice:participant:state", payload: { ...person("Ada"), muted: true, roomSeq: 3 } });
    await settled();
    expect(voice.snapshot).not.toBe(before);
    expect(changes).toHaveBeenCalledTimes(1);
    expect(voice.snapshot.participants[0]?.muted).toBe(true);
    expect(voice.snapshot.participants[1]).toBe(before.participants[1]);
    await voice.leaveChannel();
  });
});

describe("setDeafened and setMuted", () => {
  it("come out as they were asked for last, whatever is still on its way", async () => {
    const voice = service();
    await voice.joinChannel("lobby", { muted: true });
    await Promise.all([voice.setDeafened(true), voice.setDeafened(false), voice.setDeafened(true)]);
    expect(voice.snapshot).toMatchObject({ deafened: true, muted: true });
    await voice.toggleDeafen();
    // As it was before.
    expect(voice.snapshot).toMatchObject({ deafened: false, muted: true });
    await voice.leaveChannel();
  });

  it("ask the server for nothing that holds already", async () => {
    const voice = service();
    await voice.joinChannel("lobby", { muted: true });
    const told: string[] = [];
    const before = answer;
    answer = (name) => (told.push(name), before(name));
    await voice.setDeafened(false);
    expect(told).toEqual([]);
    await voice.setMuted(true);
    expect(told).toEqual(["voice:state:update"]);
    await voice.leaveChannel();
  });

  it("need a call", async () => {
    await expect(service().setMuted(true)).rejects.toBeInstanceOf(VoiceError);
    await expect(service().toggleVideo()).rejects.toMatchObject({ code: "INVALID_STATE" });
  });
});
