import { beforeEach, describe, expect, it } from "vitest";
import { VoiceError } from "../src/errors";
import type { Media } from "../src/runtime/media";
import { Receiver } from "../src/runtime/receiver";
import { Room } from "../src/runtime/room";
import type { Speakers } from "../src/runtime/speakers";
import type { Source } from "../src/payloads";

let asked: [string, Record<string, unknown>][];
let consumed: string[];
let closed: string[];
let played: string[];
let failure: VoiceError | null;
let told: VoiceError[];

function roomWith(...sources: [string, Source][]): Room {
  const room = new Room();
  const producers = sources.map(([producerId, source]) => {
    const kind = source === "mic" || source === "screenAudio" ? ("audio" as const) : ("video" as const);
    return { producerId, kind, appData: { source }, paused: false };
  });
  room.enter({
    channelId: "lobby",
    sessionId: "me",
    participants: [
      { userId: "u", sessionId: "a", muted: false, deafened: false, speaking: false, producers },
    ],
    permissions: { audio: true, video: true, screenshare: true, maxBitrate: 64_000 },
    limits: { participants: 25, videoPublishers: 6 },
    roomSeq: 0,
  });
  return room;
}

function receiving(room: Room) {
  const media = {
    recv: { closed: false },
    consume: async (producerId: string) => {
      if (failure) throw failure;
      consumed.push(producerId);
      const kind = producerId.startsWith("m") ? "audio" : "video";
      return { id: `c-${producerId}`, kind, track: { id: producerId }, close: () => closed.push(producerId) };
    },
  };
  const speakers = { play: (key: string) => played.push(key), stop: () => undefined, deafened: false };
  const request = async (name: string, payload: Record<string, unknown>) => void asked.push([name, payload]);
  return new Receiver(media as never as Media, request as never, room, speakers as never as Speakers, {
    changed: () => undefined,
    failed: (_, error) => told.push(error),
  });
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

beforeEach(() => {
  [asked, consumed, closed, played, told] = [[], [], [], [], []];
  failure = null;
});

describe("what the room sends", () => {
  it("is received once, sound is played, and video is started as large as it is shown", async () => {
    const receiver = receiving(roomWith(["m1", "mic"], ["v1", "camera"]));
    receiver.show("v1", { width: 300, height: 160 });
    receiver.sync();
    receiver.sync();
    await settle();
    expect(consumed).toEqual(["m1", "v1"]);
    expect(played).toEqual(["m1"]);
    expect(asked).toEqual([
      ["voice:rtc:setPreferredLayers", { consumerId: "c-v1", spatialLayer: 0 }],
      ["voice:rtc:resumeConsumer", { consumerId: "c-v1" }],
    ]);
  });

  it("is not received while it is out of sight", async () => {
    const receiver = receiving(roomWith(["v1", "camera"]));
    receiver.sync();
    await settle();
    asked.length = 0;
    receiver.show("v1", null);
    receiver.show("v1", { width: 1280, height: 720 });
    expect(asked).toEqual([
      ["voice:rtc:pauseConsumer", { consumerId: "c-v1" }],
      ["voice:rtc:setPreferredLayers", { consumerId: "c-v1", spatialLayer: 2 }],
      ["voice:rtc:resumeConsumer", { consumerId: "c-v1" }],
    ]);
  });

  it("is closed when it ends", async () => {
    const room = roomWith(["m1", "mic"]);
    const receiver = receiving(room);
    receiver.sync();
    await settle();
    room.apply({ name: "voice:producerClosed", payload: { producerId: "m1", userId: "a" } });
    receiver.sync();
    expect(closed).toEqual(["m1"]);
    expect(receiver.track("m1")).toBeNull();
  });

  it("that failed while there was no socket is received after the resume, and nobody is bothered", async () => {
    const room = roomWith(["m1", "mic"], ["v1", "camera"]);
    const receiver = receiving(room);
    failure = new VoiceError("UNREACHABLE", "no socket");
    receiver.sync();
    await settle();
    expect(told).toEqual([]);
    failure = null;
    receiver.keepOnly(new Set());
    receiver.sync();
    await settle();
    expect(consumed).toEqual(["m1", "v1"]);
  });

  it("that the server has forgotten is received anew, and the rest is left alone", async () => {
    const receiver = receiving(roomWith(["m1", "mic"], ["m2", "mic"]));
    receiver.sync();
    await settle();
    receiver.keepOnly(new Set(["c-m1"]));
    receiver.sync();
    await settle();
    expect(closed).toEqual(["m2"]);
    expect(consumed).toEqual(["m1", "m2", "m2"]);
  });
});
