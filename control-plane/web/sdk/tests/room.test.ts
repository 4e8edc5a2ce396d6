import { describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { Room } from "../src/runtime/room";
import type { Request } from "../src/runtime/signaling";
import { VideoSlots } from "../src/runtime/video-slots";
import type { ParticipantInfo, ProducerInfo } from "../src/payloads";

const mic = (producerId: string): ProducerInfo => ({
  producerId,
  kind: "audio",
  appData: { source: "mic" },
  paused: false,
});
const person = (sessionId: string, producers: ProducerInfo[] = []): ParticipantInfo => ({
  userId: `user of ${sessionId}`,
  sessionId,
  muted: false,
  deafened: false,
  speaking: false,
  producers,
});
const entered = (...participants: ParticipantInfo[]) => {
  const room = new Room();
  room.enter({
    channelId: "lobby",
    sessionId: "me",
    participants,
    permissions: { audio: true, video: true, screenshare: true, maxBitrate: 64_000 },
    limits: { participants: 25, videoPublishers: 6 },
    roomSeq: 0,
  });
  return room;
};
const ids = (room: Room) => [...room.sources()].map(({ producerId }) => producerId);

describe("a room", () => {
  it("holds the others and what they send, never oneself", () => {
    const room = entered(person("me", [mic("own")]), person("a", [mic("m1")]));
    expect([...room.participants.keys()]).toEqual(["a"]);
    expect(ids(room)).toEqual(["m1"]);
    room.apply({ name: "voice:participant:joined", payload: { ...person("me"), roomSeq: 1 } });
    expect(room.participants.size).toBe(1);
  });

  it("follows the server's events", () => {
    const room = entered(person("a"));
    const of = { userId: "user of a", sessionId: "a" };
    const inRoom = { ...of, roomSeq: 1 };
    room.apply({ name: "voice:newProducer", payload: { ...mic("m1"), ...inRoom } });
    room.apply({ name: "voice:newProducer", payload: { ...mic("m1"), ...inRoom } });
    expect(ids(room)).toEqual(["m1"]);
    room.apply({ name: "voice:producerPaused", payload: { producerId: "m1" } });
    expect([...room.sources()][0]?.paused).toBe(true);
    room.apply({
      name: "voice:participant:state",
      payload: { ...inRoom, muted: true, deafened: false, speaking: false },
    });
    expect(room.participants.get("a")).toMatchObject({ muted: true, reconnecting: false });
    const lost = { ...inRoom, muted: true, deafened: false, speaking: false, reconnecting: true };
    room.apply({ name: "voice:participant:state", payload: lost });
    expect(room.participants.get("a")?.reconnecting).toBe(true);
    room.apply({ name: "voice:activeSpeaker", payload: of });
    expect(room.activeSpeaker).toBe("a");
    room.apply({ name: "voice:producerClosed", payload: { producerId: "m1", ...inRoom } });
    expect(ids(room)).toEqual([]);
    room.apply({ name: "voice:participant:left", payload: inRoom });
    expect(room.participants.size).toBe(0);
    expect(room.activeSpeaker).toBeNull();
  });

  it("ignores what is about nobody it knows", () => {
    const room = entered();
    const inRoom = { userId: "ghost", sessionId: "ghost", roomSeq: 1 };
    room.apply({ name: "voice:newProducer", payload: { ...mic("m1"), ...inRoom } });
    room.apply({ name: "voice:participant:left", payload: inRoom });
    room.apply({ name: "voice:producerResumed", payload: { producerId: "m9" } });
    expect(ids(room)).toEqual([]);
  });

  it("takes over a resumed state as it is", () => {
    const room = entered(person("a", [mic("m1")]), person("b", [mic("m2")]));
    room.enter({
      ...(room as never as Parameters<Room["enter"]>[0]),
      participants: [person("b", [mic("m3")])],
    });
    expect(ids(room)).toEqual(["m3"]);
  });
});

describe("video slots", () => {
  const answering = (answer: unknown) => vi.fn(() => Promise.resolve(answer)) as unknown as Request;

  it("are there at once when there is room", async () => {
    const slots = new VideoSlots(answering({ granted: true, current: 1, max: 4 }));
    expect(await slots.request("camera")).toBe(true);
    expect(slots.place("camera")).toBeNull();
  });

  it("keep one's place, which moves, until it is one's turn", async () => {
    const slots = new VideoSlots(answering({ granted: false, position: 2, current: 4, max: 4 }));
    expect(await slots.request("camera")).toBe(false);
    expect(slots.place("camera")).toEqual({ source: "camera", position: 2, current: 4, max: 4 });
    slots.moved({ source: "camera", position: 1, current: 4, max: 4 });
    expect(slots.place("camera")?.position).toBe(1);
    slots.granted("camera");
    expect(slots.place("camera")).toBeNull();
    expect(slots.isGranted("camera")).toBe(true);
    slots.used("camera");
    expect(slots.isGranted("camera")).toBe(false);
  });

  it("are as a resumed session has them", () => {
    const slots = new VideoSlots(answering({}));
    slots.moved({ source: "camera", position: 3, current: 4, max: 4 });
    slots.restore([
      { source: "camera", granted: false, position: 2, current: 4, max: 4 },
      { source: "screen", granted: true, current: 4, max: 4 },
    ]);
    expect(slots.place("camera")?.position).toBe(2);
    expect(slots.isGranted("screen")).toBe(true);
  });

  it("are given up on request", async () => {
    const request = answering({ granted: false, position: 1, current: 4, max: 4 });
    const slots = new VideoSlots(request);
    await slots.request("screen");
    await slots.release("screen");
    expect(slots.place("screen")).toBeNull();
    expect(request).toHaveBeenLastCalledWith("voice:video:releaseSlot", { source: "screen" });
  });

  it("do not stand in the way where the server has none", async () => {
    const refusing = (code: "INVALID_PAYLOAD" | "RATE_LIMITED") =>
      new VideoSlots((() => Promise.reject(new VoiceError(code, "no"))) as unknown as Request);
    expect(await refusing("INVALID_PAYLOAD").request("camera")).toBe(true);
    await expect(refusing("RATE_LIMITED").request("camera")).rejects.toMatchObject({ code: "RATE_LIMITED" });
  });
});
