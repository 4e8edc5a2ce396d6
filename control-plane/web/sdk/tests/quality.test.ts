import { describe, expect, it } from "vitest";
import { LIMITS } from "../src/generated";
import { activeEncodings, CAMERA_ENCODINGS, layerFor, SCREEN_ENCODINGS } from "../src/layers";
import { type Observation, Optimizer, RECOVERY_LOOKS } from "../src/optimizer";
import { calculateMOS, gradeOf, queueText } from "../src/quality";

describe("the mean opinion score", () => {
  // Worked out by hand from the formula.
  it.each([
    [0, 0, 4.41],
    [100, 0, 4.36],
    [300, 5, 3.76],
    [0, 10, 3.51],
    [500, 20, 1.66],
    [1000, 40, 1],
  ])("with %d ms and %d %% loss is %f", (rtt, loss, mos) => {
    expect(calculateMOS(rtt, loss)).toBeCloseTo(mos, 2);
  });

  it("is 1 below the scale", () => expect(calculateMOS(4_000, 10)).toBe(1));

  it("has the contract's grades, a bound belonging to the better one", () => {
    const grades = [4.5, 4, 3.99, 3.5, 3.49, 2.5, 2.49, 1].map(gradeOf);
    expect(grades).toEqual(["excellent", "excellent", "good", "good", "fair", "fair", "poor", "poor"]);
  });
});

describe("the queue", () => {
  it("says how full it is and who one is in it", () => {
    expect(queueText({ position: 2, current: 4, max: 4 })).toBe(
      "Video slots full (4/4) — You're #2 in queue",
    );
  });
});

describe("the auto-optimisation", () => {
  const fine: Observation = { rtt: 40, packetLoss: 0, inputLevel: -22 };
  const looks = (optimizer: Optimizer, seen: Partial<Observation>, times: number) => {
    for (let i = 0; i < times; i += 1) optimizer.look({ ...fine, ...seen });
    return optimizer.plan;
  };
  const nothing = { videoFactor: 1, audioFactor: 1, protectAudio: false, pauseVideo: false, micBoost: 0 };

  it("leaves a good call alone", () => expect(looks(new Optimizer(), {}, 50)).toEqual(nothing));

  it("reduces the bitrate above 300 ms, step by step, and ramps up again", () => {
    const optimizer = new Optimizer();
    expect(looks(optimizer, { rtt: 300 }, 5)).toEqual(nothing);
    expect(looks(optimizer, { rtt: 301 }, 1).videoFactor).toBe(0.7);
    expect(looks(optimizer, { rtt: 301 }, 9)).toMatchObject({ videoFactor: 0.35, audioFactor: 0.5 });
    expect(looks(optimizer, {}, RECOVERY_LOOKS).videoFactor).toBe(0.5);
    expect(looks(optimizer, {}, 2 * RECOVERY_LOOKS)).toEqual(nothing);
  });

  it("protects the voice above 5 % loss", () => {
    const optimizer = new Optimizer();
    expect(looks(optimizer, { packetLoss: 5 }, 5)).toEqual(nothing);
    expect(looks(optimizer, { packetLoss: 5.1 }, 1)).toMatchObject({ protectAudio: true, videoFactor: 0.8 });
    expect(looks(optimizer, {}, RECOVERY_LOOKS)).toEqual(nothing);
  });

  it("pauses video when it gets critical, never sound, and brings it back", () => {
    const optimizer = new Optimizer();
    expect(looks(optimizer, { packetLoss: 30 }, 1).pauseVideo).toBe(false);
    const plan = looks(optimizer, { packetLoss: 30 }, 1);
    expect(plan.pauseVideo).toBe(true);
    expect(plan.audioFactor).toBeGreaterThan(0);
    expect(looks(optimizer, {}, RECOVERY_LOOKS).pauseVideo).toBe(false);
  });

  it("boosts a microphone that is too quiet, but not for somebody who is silent", () => {
    const optimizer = new Optimizer();
    expect(looks(optimizer, { inputLevel: null }, 20).micBoost).toBe(0);
    expect(looks(optimizer, { inputLevel: -45 }, 3).micBoost).toBe(6);
    expect(looks(optimizer, { inputLevel: -45 }, 30).micBoost).toBe(12);
    expect(looks(optimizer, { inputLevel: -18 }, 2 * RECOVERY_LOOKS).micBoost).toBe(0);
  });

  it("takes what was not measured for neither bad nor good", () => {
    const optimizer = new Optimizer();
    const bad = looks(optimizer, { rtt: 900, packetLoss: 30 }, 2);
    expect(bad).toMatchObject({ pauseVideo: true, protectAudio: true });
    const later = looks(optimizer, { rtt: null, packetLoss: null }, 50);
    expect(later).toEqual(bad);
    expect(looks(new Optimizer(), { rtt: null, packetLoss: null, inputLevel: null }, 50)).toEqual(nothing);
  });

  it("keeps the bitrate that FEC needs when a long way and loss come together", () => {
    const optimizer = new Optimizer();
    expect(looks(optimizer, { rtt: 400 }, 5).audioFactor).toBe(0.5);
    expect(looks(optimizer, { rtt: 400, packetLoss: 6 }, 1).audioFactor).toBe(1);
  });

  it("does not swing between two bounds", () => {
    const optimizer = new Optimizer();
    looks(optimizer, { rtt: 350 }, 1);
    expect(looks(optimizer, { rtt: 250 }, 50).videoFactor).toBe(0.7);
  });
});

describe("layers", () => {
  it("follow a tile's size", () => {
    const heights = [90, 180, 225, 226, 360, 450, 451, 900];
    const layers = heights.map((height) => layerFor({ width: 16, height }, 3));
    expect(layers).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
  });

  it("count the pixels of a dense display, up to twice", () => {
    expect(layerFor({ width: 320, height: 180, pixelRatio: 2 }, 3)).toBe(1);
    expect(layerFor({ width: 320, height: 180, pixelRatio: 3 }, 3)).toBe(1);
  });

  it("are none for what is out of sight", () => {
    expect(layerFor(null, 3)).toBeNull();
    expect(layerFor({ width: 0, height: 0 }, 3)).toBeNull();
  });

  it("end at what is sent", () => {
    expect(layerFor({ width: 1280, height: 720 }, 1)).toBe(0);
    expect(layerFor({ width: 640, height: 360 }, 2)).toBe(0);
    expect(layerFor({ width: 1280, height: 720 }, 2)).toBe(1);
  });

  it("nobody receives are not sent", () => {
    expect(activeEncodings(3, null)).toEqual([false, false, false]);
    expect(activeEncodings(3, 0)).toEqual([true, false, false]);
    expect(activeEncodings(3, 2)).toEqual([true, true, true]);
  });

  it("together keep the contract's ceilings", () => {
    const sum = (encodings: readonly { maxBitrate: number }[]) =>
      encodings.reduce((total, { maxBitrate }) => total + maxBitrate, 0);
    expect(sum(CAMERA_ENCODINGS)).toBeLessThanOrEqual(LIMITS.videoBitrate);
    expect(sum(SCREEN_ENCODINGS)).toBeLessThanOrEqual(LIMITS.screenBitrate);
  });
});
