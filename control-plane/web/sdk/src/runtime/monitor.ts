import { FEEDBACK_READING_MS, FeedbackDetector } from "../dsp/feedback-detector";
import { fromPower, SILENCE_DB, toGain } from "../dsp/decibel";
import { Optimizer, type Plan } from "../optimizer";
import type { Media } from "./media";
import { networkType } from "./network-type";
import type { Request } from "./signaling";
import type { Speakers } from "./speakers";
import { type CallStats, StatsReader } from "./stats";

const LOOK_MS = 2_000;
/** Every fifth look is reported to the server. */
const LOOKS_PER_REPORT = 5;
/** Somebody who is this loud speaks. */
const SPEAKS_DB = -50;
/** Nobody is told twice about the same loudspeakers. */
const FEEDBACK_PAUSE_MS = 30_000;

export interface MonitorHandlers {
  stats(stats: CallStats): void;
  plan(plan: Plan): void;
  /** By session: how loud each of the others is, in dBFS. */
  levels(levels: Map<string, number>): void;
  feedback(): void;
}

/** Watches a call: its network, how loud everybody is, and whether the microphone hears the speakers. */
export class Monitor {
  #timers: ReturnType<typeof setInterval>[] = [];
  #optimizer = new Optimizer();
  #feedback = new FeedbackDetector();
  #feedbackAt = 0;
  #looks = 0;
  #micLevel = SILENCE_DB;
  #speech: number | null = null;

  constructor(
    private readonly request: Request,
    private readonly speakers: Speakers,
    private readonly handlers: MonitorHandlers,
  ) {}

  start(media: Media): void {
    this.stop();
    const reader = new StatsReader();
    this.#timers = [
      setInterval(() => void this.#look(media, reader), LOOK_MS),
      setInterval(() => this.#listen(), FEEDBACK_READING_MS),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#optimizer = new Optimizer();
    this.#speech = null;
  }

  /** The microphone's level before any gain, in dBFS, and whether that is speech. */
  microphone(level: number, speaking: boolean): void {
    this.#micLevel = level;
    if (!speaking || level < SPEAKS_DB - 10) return;
    this.#speech = this.#speech === null ? level : this.#speech + (level - this.#speech) * 0.02;
  }

  async #look(media: Media, reader: StatsReader): Promise<void> {
    const stats = await reader.read(media).catch(() => null);
    if (!stats || this.#timers.length === 0) return;
    this.handlers.stats(stats);
    this.handlers.plan(this.#optimizer.look({ ...stats, inputLevel: this.#speech }));
    this.#looks += 1;
    if (this.#looks % LOOKS_PER_REPORT !== 1) return;
    const { transport, rtt, jitter, packetLoss, mos } = stats;
    const report = { transport, rtt, jitter, packetLoss, mos, networkType: networkType() };
    this.request("voice:stats:report", report).catch(() => undefined);
  }

  #listen(): void {
    const levels = this.speakers.levels();
    this.handlers.levels(levels);
    let power = 0;
    for (const level of levels.values()) power += toGain(level) ** 2;
    const isEcho = this.#feedback.read(this.#micLevel, fromPower(power));
    if (!isEcho || Date.now() - this.#feedbackAt < FEEDBACK_PAUSE_MS) return;
    this.#feedbackAt = Date.now();
    this.handlers.feedback();
  }
}
