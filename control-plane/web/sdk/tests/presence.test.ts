import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { Presence } from "../src/runtime/presence";
import type { Request, ServerEvent, Signaling } from "../src/runtime/signaling";

const person = (userId: string) => ({ userId, muted: false, deafened: false });

/** Answers a watch with whom `people` has, or refuses it. */
class FakeSocket {
  asked: string[] = [];
  isClosed = false;
  lose: () => void = () => undefined;
  tell: (event: ServerEvent) => void = () => undefined;
  answer: (channelId: string) => unknown = () => ({ people: [person("ada")] });

  request = ((name: string, { channelId }: { channelId: string }) => {
    this.asked.push(`${name.split(":")[2]} ${channelId}`);
    const answer = name === "voice:channel:watch" ? this.answer(channelId) : {};
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }) as never as Request;
  listen = (handler: (event: ServerEvent) => void) => void (this.tell = handler);
  onLost = (handler: () => void) => void (this.lose = handler);
  close = () => void (this.isClosed = true);
}

let sockets: (FakeSocket | VoiceError)[];
let connects: number[];
let presence: Presence;
let heard: unknown[];
const names = (channelId: string) => presence.channels[channelId]?.people?.map(({ userId }) => userId);
const passed = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
  [sockets, connects, heard] = [[], [], []];
  const connect = () => {
    connects.push(Date.now());
    const next = sockets.shift() ?? new VoiceError("UNREACHABLE", "nobody there");
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next as never as Signaling);
  };
  presence = new Presence(connect, { changed: () => undefined, ringing: (it) => void heard.push(it), ringEnded: (it) => void heard.push(it) });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("channels that are watched", () => {
  it("are told on a socket of its own, which goes with the last watch", async () => {
    const socket = new FakeSocket();
    sockets = [socket];
    const [stop, again] = [presence.watch("lobby"), presence.watch("lobby")];
    expect(presence.channels).toEqual({ lobby: { people: null, error: null } });
    await passed();
    expect(names("lobby")).toEqual(["ada"]);
    socket.tell({ name: "voice:channel:people", payload: { channelId: "lobby", people: [] } });
    expect(names("lobby")).toEqual([]);
    stop();
    stop();
    expect(socket.isClosed).toBe(false);
    again();
    expect([socket.isClosed, presence.channels]).toEqual([true, {}]);
    expect(socket.asked).toEqual(["watch lobby", "unwatch lobby"]);
  });

  it("move to the call's socket, and back when the call is over", async () => {
    const [own, after, call] = [new FakeSocket(), new FakeSocket(), new FakeSocket()];
    call.answer = () => ({ people: [person("ben")] });
    sockets = [own, after];
    presence.watch("lobby");
    await passed();
    presence.useCall(call.request);
    await passed();
    expect([own.isClosed, names("lobby")]).toEqual([true, ["ben"]]);
    presence.watch("other");
    await passed();
    expect(call.asked).toEqual(["watch lobby", "watch other"]);
    // Resumed on another socket.
    presence.useCall(call.request);
    expect(call.asked).toHaveLength(4);
    presence.useOwn();
    await passed();
    expect([after.asked, names("other")]).toEqual([["watch lobby", "watch other"], ["ada"]]);
  });

  it("are kept and watched again after a lost socket, with longer waits while nobody answers", async () => {
    const [first, last] = [new FakeSocket(), new FakeSocket()];
    const away = new VoiceError("UNREACHABLE", "away");
    sockets = [first, away, away, away, last];
    presence.watch("lobby");
    await passed();
    first.lose();
    await passed(8_000);
    expect(names("lobby")).toEqual(["ada"]);
    expect(connects.map((at, index) => at - (connects[index - 1] ?? at))).toEqual([0, 1_000, 1_000, 2_000, 4_000]);
    expect(last.asked).toEqual(["watch lobby"]);
  });

  it("say why they are not told, and nobody asks again what a person has to change", async () => {
    const socket = new FakeSocket();
    socket.answer = () => new VoiceError("CHANNEL_NOT_FOUND", "no");
    sockets = [socket];
    presence.watch("dm");
    await passed(60_000);
    expect(presence.channels["dm"]).toMatchObject({ people: null, error: { code: "CHANNEL_NOT_FOUND" } });
    expect(socket.asked).toHaveLength(1);

    sockets = [new VoiceError("UNAUTHORIZED", "no", {}, true)];
    socket.lose();
    await passed(60_000);
    expect([connects.length, presence.channels["dm"]?.error?.code]).toEqual([2, "UNAUTHORIZED"]);
  });

  it("are empty-handed when the right to join is taken away, and asked for again where a node was busy", async () => {
    const socket = new FakeSocket();
    const answers: unknown[] = [new VoiceError("NODE_UNAVAILABLE", "busy", { retryAfterMs: 5_000 })];
    socket.answer = () => answers.shift() ?? { people: [person("ada")] };
    sockets = [socket];
    presence.watch("lobby");
    await passed(4_999);
    expect(names("lobby")).toBeUndefined();
    await passed(1);
    expect(names("lobby")).toEqual(["ada"]);
    socket.tell({ name: "voice:channel:unwatched", payload: { channelId: "lobby" } });
    expect(presence.channels["lobby"]).toMatchObject({ people: null, error: { code: "CHANNEL_NOT_FOUND" } });
  });
});

describe("calls that ring", () => {
  const ringing: ServerEvent = {
    name: "voice:ringing",
    payload: { channelId: "dm", from: "ada", name: "Ada", expiresAt: "2026-01-01T00:00:00Z" },
  };
  const ring = { channelId: "dm", from: "ada", name: "Ada", expiresAt: "2026-01-01T00:00:00Z" };

  it("are heard by whoever wants to be reachable, and declined on the same socket", async () => {
    const socket = new FakeSocket();
    sockets = [socket];
    presence.setReachable(true);
    await passed();
    socket.tell(ringing);
    expect([presence.rings, heard]).toEqual([[ring], [ring]]);
    await presence.decline("dm");
    expect(socket.asked).toEqual(["decline dm"]);
    socket.tell({ name: "voice:ring:ended", payload: { channelId: "dm", reason: "declined" } });
    expect([presence.rings, heard.at(-1)]).toEqual([[], { channelId: "dm", userId: null, reason: "declined" }]);
    presence.setReachable(false);
    expect(socket.isClosed).toBe(true);
  });

  it("of one's own end with whom they rang, and leave others' alone", async () => {
    presence.useCall(new FakeSocket().request);
    presence.onEvent(ringing);
    presence.onEvent({ name: "voice:ring:ended", payload: { channelId: "dm", userId: "ben", reason: "missed" } });
    expect(presence.rings).toEqual([ring]);
    expect(heard.at(-1)).toEqual({ channelId: "dm", userId: "ben", reason: "missed" });
  });

  it("are forgotten with their socket, since the next one is told of them", async () => {
    const [first, second] = [new FakeSocket(), new FakeSocket()];
    sockets = [first, second];
    presence.setReachable(true);
    await passed();
    first.tell(ringing);
    first.lose();
    expect(presence.rings).toEqual([]);
    await passed(1_000);
    second.tell(ringing);
    expect(presence.rings).toEqual([ring]);
    presence.useCall(first.request);
    expect([presence.rings, second.isClosed]).toEqual([[], true]);
  });
});
