/**
 * What to do about a bad network, and when to undo it: the contract's table as data. It only decides; the
 * caller applies the plan to encoders and microphone.
 */
import { LEVEL_TARGET_DB } from "./dsp/leveller";

/** Null is what was not measured: it is neither bad nor good. */
export interface Observation {
  /** Milliseconds. */
  rtt: number | null;
  /** Percent. */
  packetLoss: number | null;
  /** Level of one's own speech after levelling and before the boost, in dBFS; null while nobody speaks. */
  inputLevel: number | null;
}

export type Measure = "reduceBitrate" | "keepFec" | "pauseVideo" | "boostMicrophone";

interface Rule {
  measure: Measure;
  /** Bad enough to act. */
  isBad(seen: Observation): boolean;
  /** Good enough to undo a step; between the two nothing moves, so that it does not swing. */
  isGood(seen: Observation): boolean;
  /** How many steps it can be taken further. */
  stepsMax: number;
  /** Looks in a row before a step is taken. */
  badLooks: number;
}

export const RULES: readonly Rule[] = [
  {
    measure: "reduceBitrate",
    isBad: ({ rtt }) => rtt !== null && rtt > 300,
    isGood: ({ rtt }) => rtt !== null && rtt < 200,
    stepsMax: 3,
    badLooks: 1,
  },
  {
    // How much of the bitrate becomes FEC is the encoder's decision, by the loss that reports tell it; a page
    // cannot set it. Below about 20 kbit/s Chromium's puts in none, so the bitrate is what we can keep.
    measure: "keepFec",
    isBad: ({ packetLoss }) => packetLoss !== null && packetLoss > 5,
    isGood: ({ packetLoss }) => packetLoss !== null && packetLoss < 2,
    stepsMax: 1,
    badLooks: 1,
  },
  {
    measure: "pauseVideo",
    isBad: ({ rtt, packetLoss }) => (rtt ?? 0) > 800 || (packetLoss ?? 0) > 20,
    isGood: ({ rtt, packetLoss }) => rtt !== null && rtt < 400 && packetLoss !== null && packetLoss < 8,
    stepsMax: 1,
    badLooks: 2,
  },
  {
    measure: "boostMicrophone",
    // Levelling reaches its target from -42 dBFS on; what it leaves below needs more.
    isBad: ({ inputLevel }) => inputLevel !== null && inputLevel < LEVEL_TARGET_DB - 4,
    isGood: ({ inputLevel }) => inputLevel !== null && inputLevel > LEVEL_TARGET_DB - 2,
    stepsMax: 2,
    badLooks: 3,
  },
];

/** Looks in a row that must be good before a step is undone. */
export const RECOVERY_LOOKS = 4;

/** Of the bitrates, for each step of `reduceBitrate`. */
const BITRATE_FACTORS = [1, 0.7, 0.5, 0.35] as const;
/** What sound needs for its error correction is taken from video, which shares the path. */
const FEC_VIDEO_FACTOR = 0.8;
const BOOST_DB = 6;

export interface Plan {
  /** Factor for the video encodings' bitrates. */
  videoFactor: number;
  /** Factor for the microphone's bitrate. */
  audioFactor: number;
  /** Sound before everything else on the way out, and enough bitrate for its error correction. */
  protectAudio: boolean;
  pauseVideo: boolean;
  /** Decibels to add to the microphone, after levelling. */
  micBoost: number;
}

interface Progress {
  step: number;
  bad: number;
  good: number;
}

export class Optimizer {
  #progress = new Map<Measure, Progress>(RULES.map(({ measure }) => [measure, { step: 0, bad: 0, good: 0 }]));

  /** Takes a look at the call and gives the plan that holds from now on. */
  look(seen: Observation): Plan {
    for (const rule of RULES) {
      const progress = this.#progress.get(rule.measure);
      if (progress) advance(rule, progress, seen);
    }
    return this.plan;
  }

  get plan(): Plan {
    const reduction = BITRATE_FACTORS[this.step("reduceBitrate")] ?? 1;
    const protectAudio = this.step("keepFec") > 0;
    return {
      videoFactor: reduction * (protectAudio ? FEC_VIDEO_FACTOR : 1),
      // Error correction lives inside the microphone's bitrate, so that is not cut while it is needed.
      audioFactor: protectAudio ? 1 : Math.max(reduction, 0.5),
      protectAudio,
      pauseVideo: this.step("pauseVideo") > 0,
      micBoost: this.step("boostMicrophone") * BOOST_DB,
    };
  }

  step(measure: Measure): number {
    return this.#progress.get(measure)?.step ?? 0;
  }
}

function advance(rule: Rule, progress: Progress, seen: Observation): void {
  progress.bad = rule.isBad(seen) ? progress.bad + 1 : 0;
  progress.good = rule.isGood(seen) ? progress.good + 1 : 0;
  if (progress.bad >= rule.badLooks && progress.step < rule.stepsMax) {
    progress.step += 1;
    progress.bad = 0;
  } else if (progress.good >= RECOVERY_LOOKS && progress.step > 0) {
    progress.step -= 1;
    progress.good = 0;
  }
}
