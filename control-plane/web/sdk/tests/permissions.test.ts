import { describe, expect, it, vi } from "vitest";
import type { types } from "mediasoup-client";
import type { Media } from "../src/runtime/media";
import type { Microphone } from "../src/runtime/microphone";
import { Publisher } from "../src/runtime/publisher";
import type { VideoSlots } from "../src/runtime/video-slots";
import { publisherHandlers } from "./publisher-handlers";

const PRO = { audio: true, video: true, screenshare: true, maxBitrate: 64_000 };
const FREE = { audio: true, video: false, screenshare: false, maxBitrate: 32_000 };

/** A microphone that is being sent, as far as a browser would show it. */
function sending() {
  const parameters = { encodings: [{ maxBitrate: undefined as number | undefined }] };
  const rtpSender = {
    getParameters: () => structuredClone(parameters),
    setParameters: (next: typeof parameters) => {
      parameters.encodings = next.encodings;
      return Promise.resolve();
    },
  };
  const producer = { id: "mic-1", kind: "audio", closed: false, rtpSender, close: vi.fn() };
  const produce = vi.fn(() => Promise.resolve(producer as unknown as types.Producer));
  return { media: { send: { produce } } as unknown as Media, parameters, producer };
}

describe("when Pro ends", () => {
  it("a microphone that runs goes down to what Free may send, and up again with Pro", async () => {
    const { media, parameters, producer } = sending();
    const microphone = { track: {}, change: vi.fn(), close: vi.fn() } as unknown as Microphone;
    const handlers = publisherHandlers();
    const publisher = new Publisher(vi.fn(), microphone, {} as VideoSlots, handlers);
    await publisher.attach(media, PRO, Promise.resolve());
    await vi.waitFor(() => expect(parameters.encodings[0]?.maxBitrate).toBe(64_000));
    publisher.setPermissions(FREE);
    await vi.waitFor(() => expect(parameters.encodings[0]?.maxBitrate).toBe(32_000));
    publisher.setPermissions(PRO);
    await vi.waitFor(() => expect(parameters.encodings[0]?.maxBitrate).toBe(64_000));
    expect(producer.close).not.toHaveBeenCalled();
  });

  it("a microphone that is encrypted from end to end leaves room for what that adds: 10.8 kbit/s", async () => {
    const { media, parameters } = sending();
    const encryption = { seal: () => 1, sealed: () => undefined };
    const microphone = { track: {}, change: vi.fn(), close: vi.fn() } as unknown as Microphone;
    const handlers = publisherHandlers();
    const publisher = new Publisher(vi.fn(), microphone, {} as VideoSlots, handlers);
    await publisher.attach({ ...media, encryption } as unknown as Media, PRO, Promise.resolve());
    await vi.waitFor(() => expect(parameters.encodings[0]?.maxBitrate).toBe(53_200));
    publisher.setPermissions(FREE);
    await vi.waitFor(() => expect(parameters.encodings[0]?.maxBitrate).toBe(21_200));
  });
});
