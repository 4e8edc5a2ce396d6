import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Microphone } from "../src/runtime/microphone";
import { Publisher } from "../src/runtime/publisher";
import type { Request } from "../src/runtime/signaling";
import type { VideoSlots } from "../src/runtime/video-slots";
import { publisherHandlers } from "./publisher-handlers";

/** A captured track, as the system mutes it. */
class Track extends EventTarget {
  muted = false;
  enabled = true;
  readyState = "live";
  stop = vi.fn();

  mutedBySystem(muted: boolean): void {
    this.muted = muted;
    this.dispatchEvent(new Event(muted ? "mute" : "unmute"));
  }
}

let track: Track;
beforeEach(() => {
  const getUserMedia = async () => ({ getTracks: () => [(track = new Track())] });
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
});
afterEach(() => vi.unstubAllGlobals());

it("a microphone that the system mutes says so at once, and is another matter than our own mute", async () => {
  const silenced = vi.fn();
  const microphone = new Microphone({ silenced });
  expect(microphone.isSilenced).toBe(false);
  await microphone.open();
  track.mutedBySystem(true);
  expect([microphone.isSilenced, silenced.mock.calls.length]).toEqual([true, 1]);
  track.mutedBySystem(false);
  expect([microphone.isSilenced, silenced.mock.calls.length]).toEqual([false, 2]);
  // Another device takes over, which is not muted.
  track.mutedBySystem(true);
  await microphone.open("other");
  expect(microphone.isSilenced).toBe(false);
});

it("a camera that the system covers is told as a change", async () => {
  const handlers = publisherHandlers();
  const request = (async () => ({})) as never as Request;
  const publisher = new Publisher(request, new Microphone(), {} as VideoSlots, handlers);
  await publisher.startTrack("camera", new Track() as never as MediaStreamTrack).catch(() => undefined);
  const camera = new Track();
  const starting = publisher.startTrack("camera", camera as never as MediaStreamTrack);
  handlers.changed.mockClear();
  camera.mutedBySystem(true);
  expect(handlers.changed).toHaveBeenCalledTimes(1);
  await starting.catch(() => undefined);
});
