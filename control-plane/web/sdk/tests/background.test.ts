import { afterEach, describe, expect, it, vi } from "vitest";
import { BackgroundBlur, canBlur, processedCamera } from "../src/background";
import type { VoiceService } from "../src/voice-service";

afterEach(() => vi.unstubAllGlobals());

function camera(backgroundBlur?: boolean[]) {
  return {
    getCapabilities: () => ({ ...(backgroundBlur && { backgroundBlur }) }),
    getConstraints: () => ({ width: { ideal: 1280 } }),
    applyConstraints: vi.fn(async () => undefined),
  };
}

function voiceWith(track: ReturnType<typeof camera> | null) {
  let changed: (snapshot: object) => void = () => undefined;
  const voice = {
    on: (_: string, handler: typeof changed) => ((changed = handler), vi.fn()),
    ownTrack: () => track,
  } as never as VoiceService;
  return { voice, becomes: (next: unknown) => changed({ camera: { track: next } }) };
}

describe("a blurred background", () => {
  it("is the system's: asked of a camera that can, with what it was asked before", async () => {
    const able = camera([true, false]);
    const blur = new BackgroundBlur(voiceWith(able).voice);
    expect(await blur.set(true)).toBe(true);
    expect(able.applyConstraints).toHaveBeenCalledWith({ width: { ideal: 1280 }, backgroundBlur: true });
    expect(await blur.set(false)).toBe(false);
    expect(able.applyConstraints).toHaveBeenLastCalledWith({ width: { ideal: 1280 }, backgroundBlur: false });
  });

  it("is not promised where the system cannot, or where it is not a page's to choose", async () => {
    for (const capability of [undefined, [false], [true]]) {
      const unable = camera(capability);
      expect(canBlur(unable as never as MediaStreamTrack)).toBe(false);
      expect(await new BackgroundBlur(voiceWith(unable).voice).set(true)).toBe(false);
      expect(unable.applyConstraints).not.toHaveBeenCalled();
    }
    expect(canBlur(null)).toBe(false);
  });

  it("stays the system's own choice until somebody asks for another", async () => {
    const { voice, becomes } = voiceWith(null);
    const kept = new BackgroundBlur(voice);
    const able = camera([true, false]);
    becomes(able);
    await Promise.resolve();
    expect(able.applyConstraints).not.toHaveBeenCalled();
    kept.close();
  });

  it("is kept in the next camera, and asked of each once", async () => {
    const { voice, becomes } = voiceWith(null);
    const blur = new BackgroundBlur(voice);
    expect(await blur.set(true)).toBe(false);
    const [first, second] = [camera([true, false]), camera([true, false])];
    for (const track of [first, first, second, second]) becomes(track);
    expect([first.applyConstraints.mock.calls.length, second.applyConstraints.mock.calls.length]).toEqual([1, 1]);
  });
});

describe("a camera whose frames are processed", () => {
  class Frame {
    closed = false;
    constructor(readonly name: string) {}
    close(): void {
      this.closed = true;
    }
  }

  function browser(frames: Frame[]) {
    const shown: string[] = [];
    const source = Object.assign(new EventTarget(), { contentHint: "", stop: vi.fn() });
    class Generator extends EventTarget {
      contentHint = "";
      stop = vi.fn();
      writable = new WritableStream<Frame>({ write: (frame) => void shown.push(frame.name) });
    }
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => ({ getTracks: () => [source] }) } });
    vi.stubGlobal("MediaStreamTrackGenerator", Generator);
    vi.stubGlobal(
      "MediaStreamTrackProcessor",
      class {
        readable = new ReadableStream<Frame>({ start: (controller) => frames.forEach((frame) => controller.enqueue(frame)) });
      },
    );
    return { shown, source };
  }
  const settled = () => new Promise((resolve) => setTimeout(resolve, 10));

  it("gives what the application made of each frame, and goes on after one that failed", async () => {
    const frames = ["a", "bad", "c"].map((name) => new Frame(name));
    const { shown, source } = browser(frames);
    const { track, stop } = await processedCamera((frame) => {
      const { name } = frame as never as Frame;
      if (name === "bad") throw new Error("no background");
      frame.close();
      return new Frame(`${name} with palms`) as never as VideoFrame;
    });
    await settled();
    expect(shown).toEqual(["a with palms", "c with palms"]);
    expect(frames.map(({ closed }) => closed)).toEqual([true, true, true]);
    expect(track.contentHint).toBe("motion");
    stop();
    expect([source.stop.mock.calls.length, vi.mocked(track.stop).mock.calls.length]).toEqual([1, 1]);
  });

  it("ends with its camera", async () => {
    const { source } = browser([]);
    const { track } = await processedCamera((frame) => frame);
    const ended = vi.fn();
    track.addEventListener("ended", ended);
    source.dispatchEvent(new Event("ended"));
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it("is refused where the browser gives no frames", async () => {
    vi.stubGlobal("navigator", {});
    await expect(processedCamera((frame) => frame)).rejects.toMatchObject({ code: "UNSUPPORTED_BROWSER" });
  });
});
