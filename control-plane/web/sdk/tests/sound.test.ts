import { describe, expect, it } from "vitest";
import { toGain } from "../src/dsp/decibel";
import { FeedbackDetector, hearsItself } from "../src/dsp/feedback-detector";
import { InputChain } from "../src/dsp/input-chain";
import { Leveller } from "../src/dsp/leveller";
import { Limiter } from "../src/dsp/limiter";
import { VoiceActivity } from "../src/dsp/voice-activity";
import { activeLevel, inBlocks, RATE, random, speech, tone } from "./signals";

const greatest = (samples: Float32Array) =>
  samples.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);
const CEILING = toGain(-3) + 1e-6;

describe("the limiter", () => {
  it("never lets a tone of full scale above -3 dBFS, and keeps it close below", () => {
    for (const hertz of [50, 440, 1000, 7777]) {
      const limiter = new Limiter(RATE);
      const out = inBlocks(tone(hertz, 1, 2), (block) => limiter.process(block));
      expect(greatest(out)).toBeLessThanOrEqual(CEILING);
      expect(greatest(out.subarray(RATE))).toBeGreaterThan(toGain(-4.5));
    }
  });

  it("holds against clicks, steps and noise far above full scale", () => {
    const next = random(7);
    const samples = new Float32Array(RATE).map((_, i) => (i % 997 === 0 ? 9 : 4 * (next() - 0.5)));
    const limiter = new Limiter(RATE);
    expect(greatest(inBlocks(samples, (block) => limiter.process(block)))).toBeLessThanOrEqual(CEILING);
  });

  it("leaves what is below alone, but for its delay", () => {
    const limiter = new Limiter(RATE);
    const quiet = tone(440, 0.5, 0.5);
    const out = inBlocks(quiet, (block) => limiter.process(block));
    for (let i = limiter.delay; i < out.length; i += 1) {
      expect(Math.abs((out[i] ?? 0) - (quiet[i - limiter.delay] ?? 0))).toBeLessThan(1e-4);
    }
  });
});

describe("the leveller", () => {
  it.each([-36, -30, -24, -18, -12, -6])("brings speech at %d dBFS to -18 ± 2 dBFS", (level) => {
    const leveller = new Leveller(RATE);
    const out = inBlocks(speech(level, 12), (block) => leveller.process(block));
    expect(Math.abs(activeLevel(out.subarray(8 * RATE)) + 18)).toBeLessThanOrEqual(2);
  });

  it("does not pull up silence", () => {
    const leveller = new Leveller(RATE);
    inBlocks(speech(-18, 5), (block) => leveller.process(block));
    const before = leveller.gainDb;
    inBlocks(new Float32Array(20 * RATE).fill(0.0002), (block) => leveller.process(block));
    expect(leveller.gainDb).toBeCloseTo(before, 5);
  });

  it("follows a quieter speaker after a loud one", () => {
    const leveller = new Leveller(RATE);
    inBlocks(speech(-6, 6), (block) => leveller.process(block));
    const out = inBlocks(speech(-32, 14), (block) => leveller.process(block));
    expect(Math.abs(activeLevel(out.subarray(10 * RATE)) + 18)).toBeLessThanOrEqual(2);
  });
});

describe("the voice activity", () => {
  it("hears speech, bridges its gaps, and does not take a fan for it", () => {
    const voice = new VoiceActivity(RATE);
    inBlocks(speech(-24, 1), (block) => voice.process(block));
    expect(voice.active).toBe(true);
    const next = random(3);
    const fan = new Float32Array(12 * RATE).map(() => 0.012 * (next() - 0.5));
    inBlocks(fan, (block) => voice.process(block));
    expect(voice.active).toBe(false);
    inBlocks(speech(-24, 0.2), (block) => voice.process(block));
    expect(voice.active).toBe(true);
  });
});

describe("the whole input", () => {
  it("levels, limits, and gives exact zeros in silence", () => {
    const chain = new InputChain(RATE);
    chain.settings = { ...chain.settings, gain: 2 };
    const out = inBlocks(speech(-10, 7), (block) => chain.process(block));
    expect(greatest(out)).toBeLessThanOrEqual(CEILING);
    expect(chain.takeLevels().speaking).toBe(true);
    const silence = inBlocks(new Float32Array(2 * RATE), (block) => chain.process(block));
    expect(greatest(silence.subarray(RATE))).toBe(0);
    expect(chain.takeLevels().speaking).toBe(false);
  });

  it("is louder by the boost, which levelling does not undo", () => {
    const [plain, boosted] = [new InputChain(RATE), new InputChain(RATE)];
    boosted.settings = { ...boosted.settings, boostDb: 6 };
    const level = (chain: InputChain) =>
      activeLevel(inBlocks(speech(-30, 8), (block) => chain.process(block)).subarray(5 * RATE));
    expect(level(boosted) - level(plain)).toBeCloseTo(6, 0);
    // What the boost is decided by does not contain it.
    expect(boosted.takeLevels().levelled).toBeCloseTo(plain.takeLevels().levelled, 3);
  });

  it("at half the input volume sends half as much", () => {
    const [full, half] = [new InputChain(RATE), new InputChain(RATE)];
    half.settings = { ...half.settings, gain: 0.5 };
    const loud = inBlocks(speech(-20, 8), (block) => full.process(block));
    const quiet = inBlocks(speech(-20, 8), (block) => half.process(block));
    expect(activeLevel(loud.subarray(5 * RATE)) - activeLevel(quiet.subarray(5 * RATE))).toBeCloseTo(6, 0);
  });
});

describe("feedback", () => {
  /** Levels of somebody who talks, in dBFS, one every 50 ms. */
  const talk = (seed: number, readings: number) => {
    const next = random(seed);
    let level = -30;
    return Array.from({ length: readings }, (_, i) => {
      if (i % 3 === 0) level = next() > 0.4 ? -30 + 15 * next() : -65;
      return level;
    });
  };
  const firstDetection = (played: number[], microphone: number[]) => {
    const detector = new FeedbackDetector();
    return played.findIndex((level, i) => detector.read(microphone[i] ?? -100, level));
  };

  it("is noticed when the microphone hears the speakers a little later", () => {
    const played = talk(11, 200);
    const echo = played.map((_, i) => (played[i - 4] ?? -65) - 12);
    const at = firstDetection(played, echo);
    expect(at).toBeGreaterThan(0);
    // Three signatures, half a second apart, once there is enough to compare.
    expect(at).toBeLessThan(100);
  });

  it("is not seen in two people who talk", () => {
    for (let seed = 1; seed < 30; seed += 1)
      expect(firstDetection(talk(seed, 400), talk(seed + 100, 400))).toBe(-1);
  });

  it("is found in one recording that is played, and not in a quiet room or in somebody who talks", () => {
    for (let seed = 1; seed < 20; seed += 1) {
      const played = talk(seed, 60);
      expect(
        hearsItself(
          played,
          played.map((_, i) => (played[i - 3] ?? -65) - 15),
        ),
      ).toBe(true);
      expect(
        hearsItself(
          played,
          played.map(() => -62),
        ),
      ).toBe(false);
      expect(hearsItself(played, talk(seed + 500, 60))).toBe(false);
    }
  });

  it("is not seen in two beeps of the same rhythm", () => {
    const beep = Array.from({ length: 400 }, (_, i) => (i % 20 < 4 ? -20 : -70));
    expect(firstDetection(beep, beep)).toBe(-1);
  });
});
