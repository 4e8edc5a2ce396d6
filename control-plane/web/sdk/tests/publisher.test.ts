import type { types } from "mediasoup-client";
import { describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import type { Media } from "../src/runtime/media";
import type { Microphone } from "../src/runtime/microphone";
import { Publisher } from "../src/runtime/publisher";
import type { VideoSlots } from "../src/runtime/video-slots";
import { publisherHandlers } from "./publisher-handlers";

const PRO = { audio: true, video: true, screenshare: true, maxBitrate: 64_000 };

class FakeTrack extends EventTarget {
  enabled = true;
  readyState = "live";
  stop = vi.fn(() => void (this.readyState = "ended"));
  constructor(readonly id: string) {
    super();
  }
}

/** A room whose answers to `produce` come when the test says. */
async function room() {
  const producers: { id: string; track: FakeTrack; paused: boolean; closed: boolean }[] = [];
  let answer: () => void = () => undefined;
  let refusal: Error | null = null;
  const produce = async ({ track }: { track: FakeTrack }) => {
    if (refusal) throw refusal;
    await new Promise<void>((resolve) => (answer = resolve));
    const producer = {
      id: `producer-${producers.length + 1}`,
      track,
      paused: !track.enabled,
      closed: false,
      pause() {
        this.paused = true;
        this.track.enabled = false;
      },
      resume() {
        this.paused = false;
        this.track.enabled = true;
      },
      close() {
        this.closed = true;
      },
      async replaceTrack({ track: next }: { track: FakeTrack }) {
        this.track = next;
      },
    };
    producers.push(producer);
    return producer as unknown as types.Producer;
  };
  const microphone = {
    track: null as FakeTrack | null,
    opened: 0,
    async open() {
      this.opened += 1;
      return (this.track = new FakeTrack("microphone"));
    },
    change: vi.fn(),
    close() {
      this.track = null;
    },
  };
  const requests: string[] = [];
  const request = async (name: string, { producerId }: { producerId?: string } = {}) =>
    void requests.push(producerId?.startsWith("producer-") === false ? `${name} ${producerId}` : name);
  const handlers = publisherHandlers();
  const publisher = new Publisher(
    request as never,
    microphone as unknown as Microphone,
    { request: async () => true } as unknown as VideoSlots,
    handlers,
  );
  publisher.muted = publisher.wantsMuted = true;
  await publisher.attach({ send: { produce } } as unknown as Media, PRO, Promise.resolve());
  const track = (id: string) => new FakeTrack(id) as FakeTrack & MediaStreamTrack;
  return { publisher, producers, microphone, requests, track, handlers, answer: () => answer(), refuseAll: (error: Error) => void (refusal = error) };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

async function speaking() {
  const all = await room();
  all.publisher.wantsMuted = false;
  const unmuting = all.publisher.setMuted(false);
  await turn();
  all.answer();
  await unmuting;
  return all;
}

describe("muting", () => {
  it("silences a microphone whose producer is still on its way", async () => {
    const { publisher, producers, microphone, answer } = await room();
    publisher.wantsMuted = false;
    const unmuting = publisher.setMuted(false);
    await turn();
    publisher.muteNow();
    expect(microphone.track?.enabled).toBe(false);
    answer();
    await unmuting;
    expect(producers.map(({ paused, track }) => paused && !track.enabled)).toEqual([true]);
    expect(publisher.muted).toBe(true);
  });

  it("is not undone by an unmute that the server answers later", async () => {
    const { publisher, producers } = await speaking();
    await publisher.setMuted(true);
    publisher.wantsMuted = false;
    const unmuting = publisher.setMuted(false);
    publisher.muteNow();
    await unmuting;
    expect(producers[0]?.paused).toBe(true);
    expect(publisher.muted).toBe(true);
  });
});

describe("publishTrack", () => {
  it("sends the application's camera, and leaves its end to the application", async () => {
    const { publisher, producers, track, answer, requests } = await room();
    const camera = track("processed");
    await publisher.give("camera", camera);
    const starting = publisher.start("camera");
    await turn();
    answer();
    expect(await starting).toBe(true);
    expect(producers[0]?.track).toBe(camera);
    await publisher.stopSource("camera");
    expect(camera.stop).not.toHaveBeenCalled();
    expect(requests).toContain("voice:rtc:closeProducer");
  });

  it("takes the place of the microphone without a new producer, and gives it back", async () => {
    const { publisher, producers, microphone, track } = await speaking();
    const file = track("file");
    await publisher.give("mic", file);
    expect(microphone.track).toBeNull();
    expect(producers.map((it) => it.track)).toEqual([file]);
    await publisher.give("mic", null);
    expect(producers.map((it) => it.track)).toEqual([microphone.track]);
    expect(microphone.opened).toBe(2);
  });

  it("that is turned off while the server answers leaves no producer behind", async () => {
    const { publisher, producers, track, answer, requests } = await room();
    await publisher.give("camera", track("processed"));
    const starting = publisher.start("camera").catch((error: { code: string }) => error.code);
    await turn();
    await publisher.stopSource("camera");
    answer();
    expect(await starting).toBe("CANCELLED");
    expect(producers.map(({ closed }) => closed)).toEqual([true]);
    expect(requests).toEqual(["voice:rtc:closeProducer"]);
    expect(publisher.isSending("camera")).toBe(false);
  });
});

it("a camera whose track ends was taken away; one of the application's own was not", async () => {
  const { publisher, handlers, track, answer } = await room();
  const [captured, own] = [track("captured"), track("own")];
  const started = publisher.startTrack("camera", captured);
  await turn();
  answer();
  await started;
  captured.dispatchEvent(new Event("ended"));
  expect(handlers.ended.mock.calls).toEqual([["camera", true]]);
  await publisher.give("camera", own);
  own.dispatchEvent(new Event("ended"));
  expect(handlers.ended.mock.calls.at(-1)).toEqual(["camera", false]);
});

/** The other room, or the other transport: `produce` as the test has it. */
const elsewhere = (produce: unknown) => ({ send: { produce } }) as unknown as Media;

describe("what was sent before", () => {
  async function sending() {
    const all = await speaking();
    const started = all.publisher.startTrack("camera", all.track("captured"));
    await turn();
    all.answer();
    await started;
    all.publisher.detach();
    return all;
  }

  it("is told if the next room refuses it, and the others are sent nonetheless", async () => {
    const { publisher, handlers, track } = await sending();
    const refused = new VoiceError("NODE_UNAVAILABLE", "in a moment");
    const produce = async (options: { track: unknown }) => {
      if (options.track === publisher.track("camera")) return { id: "again", close: vi.fn() };
      throw refused;
    };
    await publisher.attach(elsewhere(produce), PRO, Promise.resolve());
    expect(handlers.failed.mock.calls).toEqual([["mic", refused]]);
    expect(publisher.isSending("camera")).toBe(true);
    handlers.failed.mockClear();
    const nobody = async () => Promise.reject(refused);
    await publisher.attach(elsewhere(nobody), PRO, Promise.resolve());
    expect(handlers.failed.mock.calls).toEqual([
      ["mic", refused],
      ["camera", refused],
    ]);
    expect(publisher.track("camera")).toBeNull();
    await publisher.startTrack("camera", track("pressed")).catch(() => undefined);
    expect(handlers.failed).toHaveBeenCalledTimes(2);
  });

  it("waits for the next transport if that one is given up while the server answers", async () => {
    const { publisher, handlers } = await sending();
    let refuse: (error: Error) => void = () => undefined;
    const never = () => new Promise((_, reject) => (refuse = reject));
    publisher.wantsMuted = true;
    const attached = publisher.attach(elsewhere(never), PRO, Promise.resolve()).catch(({ code }) => code);
    await turn();
    publisher.detach();
    refuse(new Error("closed"));
    expect(await attached).toBe("CANCELLED");
    await publisher.attach(elsewhere(async () => ({ id: "next" })), PRO, Promise.resolve());
    expect(publisher.isSending("camera")).toBe(true);
    expect(handlers.failed).not.toHaveBeenCalled();
  });

  it("is told if it is refused after a resume, since nobody hears it any more", async () => {
    const all = await speaking();
    const refused = new VoiceError("NODE_UNAVAILABLE", "in a moment");
    all.refuseAll(refused);
    await all.publisher.reconcile([]);
    expect(all.handlers.failed.mock.calls).toEqual([["mic", refused]]);
    expect(all.publisher.isSending("mic")).toBe(false);
  });
});

describe("after a resume", () => {
  it("closes a producer that the server has alone, since its answer was lost, and leaves its own", async () => {
    const { publisher, requests, producers } = await speaking();
    requests.length = 0;
    const info = (producerId: string) => ({ producerId, paused: false }) as never;
    await publisher.reconcile([info("lost"), info(producers[0]?.id ?? "")]);
    expect(requests).toEqual(["voice:rtc:closeProducer lost"]);
    expect(publisher.isSending("mic")).toBe(true);
  });
});
