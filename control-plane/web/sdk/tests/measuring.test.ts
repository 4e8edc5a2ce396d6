import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Measuring, type MeasuringHandlers } from "../src/runtime/measuring";
import type { Media } from "../src/runtime/media";
import type { MonitorHandlers } from "../src/runtime/monitor";

const monitors: { handlers: MonitorHandlers; start: ReturnType<typeof vi.fn>; stop: ReturnType<typeof vi.fn> }[] = [];
let fails = false;

vi.mock("../src/runtime/monitor", () => ({
  get Monitor() {
    if (fails) throw new TypeError("Failed to fetch dynamically imported module");
    return class {
      start = vi.fn();
      stop = vi.fn();
      constructor(_request: unknown, _speakers: unknown, handlers: MonitorHandlers) {
        monitors.push({ handlers, start: this.start, stop: this.stop });
      }
    };
  },
}));

let handlers: { [Name in keyof MeasuringHandlers]: ReturnType<typeof vi.fn> };
let measuring: Measuring;
const media = {} as Media;
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

beforeEach(() => {
  const names = ["changed", "stats", "plan", "levels", "feedback", "expected", "refused"] as const;
  handlers = Object.fromEntries(names.map((name) => [name, vi.fn()])) as typeof handlers;
  measuring = new Measuring(vi.fn() as never, {} as never, handlers as never as MeasuringHandlers);
});
afterEach(() => {
  monitors.length = 0;
  fails = false;
});

describe("the part that measures", () => {
  it("is loaded by the first call, and measures each one until it is left", async () => {
    measuring.start(media);
    expect(monitors).toEqual([]);
    await settled();
    measuring.stop();
    measuring.start(media);
    await settled();
    expect(monitors).toHaveLength(1);
    expect(monitors[0]?.start).toHaveBeenCalledTimes(2);
    expect(monitors[0]?.stop).toHaveBeenCalledTimes(1);
  });

  it("does not begin in a call that was left while it was loaded", async () => {
    measuring.start(media);
    measuring.stop();
    await settled();
    expect(monitors[0]?.start).not.toHaveBeenCalled();
  });

  it("is told to be missing where it cannot be loaded, and is asked for again by the next call", async () => {
    fails = true;
    measuring.start(media);
    await settled();
    expect(handlers.refused).toHaveBeenCalledWith("voice:stats:report", expect.any(Error));
    fails = false;
    measuring.start(media);
    await settled();
    expect(monitors[0]?.start).toHaveBeenCalledWith(media);
  });

  it("has what it measured last, which is forgotten with the call", async () => {
    measuring.start(media);
    await settled();
    const [monitor] = monitors;
    const levels = new Map([["ada", -20]]);
    monitor?.handlers.levels(levels);
    monitor?.handlers.health({ people: new Map(), noSound: true });
    expect(measuring).toMatchObject({ levels, health: { noSound: true } });
    measuring.forget();
    expect(measuring).toMatchObject({ levels: new Map(), health: { noSound: false }, stats: null });
    // The application may have kept it.
    expect(levels.size).toBe(1);
  });
});
