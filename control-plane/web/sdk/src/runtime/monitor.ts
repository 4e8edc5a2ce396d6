import { FEEDBACK_READING_MS, FeedbackDetector } from "../dsp/feedback-detector";
import { fromPower, SILENCE_DB, toGain } from "../dsp/decibel";
import { Optimizer, type Plan } from "../optimizer";
import { gradeWith } from "../quality";
import type { StatsReport } from "../payloads";
import type { InputLevels } from "../dsp/input-chain";
import type { Media } from "./media";
import { arrivedOf, type Expected, type Health, MediaHealth } from "./health";
import type { Request } from "./signaling";
import type { Speakers } from "./speakers";
import { type CallStats, StatsReader } from "./stats";

/** Between two looks at what arrives. */
const HEALTH_MS = 1_000;
/** Every second of them is one at the network as well, which takes the same figures. */
const WATCHES_PER_LOOK = 2;
/** Of the time, at most, for asking the browser for figures: it takes longer the more there is to be counted. */
const STATS_SHARE = 0.05;
/** The rarest looks at what arrives, however slow the device is. */
const HEALTH_MAX_MS = 2_000;
/** The mean of this many looks is reported to the server; of a call's first look alone as well. */
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
  /** What should be arriving now. */
  expected(): Expected[];
  /** Every second. */
  health(health: Health): void;
  /** A report that the server did not take. */
  refused(event: "voice:stats:report", error: unknown): void;
}

/** Watches a call: its network, how loud everybody is, and whether the microphone hears the speakers. */
export class Monitor {
  #timers: ReturnType<typeof setInterval>[] = [];
  #optimizer = new Optimizer();
  #feedback = new FeedbackDetector();
  #feedbackAt = 0;
  #looks = 0;
  #unreported: CallStats[] = [];
  #micLevel = SILENCE_DB;
  #speech: number | null = null;
  #health: Health = { people: new Map(), noSound: false };
  #watches = 0;
  #isAsking = false;
  /** By `performance.now()`. */
  #restUntil = 0;

  constructor(
    private readonly request: Request,
    private readonly speakers: Speakers,
    private readonly handlers: MonitorHandlers,
  ) {}

  start(media: Media): void {
    this.stop();
    this.#health = { people: new Map(), noSound: false };
    const reader = new StatsReader();
    const health = new MediaHealth();
    this.#timers = [
      setInterval(() => this.#listen(), FEEDBACK_READING_MS),
      setInterval(() => void this.#watch(media, health, reader), HEALTH_MS),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#optimizer = new Optimizer();
    this.#speech = null;
    [this.#restUntil, this.#isAsking, this.#watches, this.#unreported] = [0, false, 0, []];
  }

  /** What the microphone gives. */
  microphone({ input, levelled, speaking }: InputLevels): void {
    this.#micLevel = input;
    if (!speaking || input < SPEAKS_DB - 10) return;
    this.#speech = this.#speech === null ? levelled : this.#speech + (levelled - this.#speech) * 0.02;
  }

  async #look(media: Media, reader: StatsReader, receiving: RTCStatsReport | null): Promise<void> {
    const stats = await reader.read(media, receiving).catch(() => null);
    if (!stats || this.#timers.length === 0) return;
    this.handlers.stats({ ...stats, grade: gradeWith(stats.grade, this.#health) });
    this.handlers.plan(this.#optimizer.look({ ...stats, inputLevel: this.#speech }));
    this.#unreported.push(stats);
    if (this.#looks++ % LOOKS_PER_REPORT !== 0) return;
    const report = reportOf(this.#unreported.splice(0));
    if (!report) return;
    this.request("voice:stats:report", report).catch((error: unknown) =>
      this.handlers.refused("voice:stats:report", error),
    );
  }

  async #watch(media: Media, health: MediaHealth, reader: StatsReader): Promise<void> {
    const timers = this.#timers;
    const begun = performance.now();
    if (this.#isAsking || begun < this.#restUntil) return;
    this.#isAsking = true;
    const { recv } = media;
    // Before it stood nothing can arrive; that is said by the state of the path.
    const stands = recv.connectionState === "connected" || recv.connectionState === "disconnected";
    const report = stands ? await recv.getStats().catch(() => null) : null;
    if (this.#timers !== timers) return;
    const arrived = report && arrivedOf(report.values() as Iterable<Record<string, unknown>>);
    // Without figures there is nothing to be said, rather than the worst.
    const expected = arrived ? this.handlers.expected() : [];
    this.#health = health.look(performance.now(), expected, arrived ?? new Map());
    this.handlers.health(this.#health);
    if (this.#watches++ % WATCHES_PER_LOOK === 1) await this.#look(media, reader, report);
    if (this.#timers !== timers) return;
    const took = performance.now() - begun;
    // A timer that comes a little early is no reason to leave one out.
    const rest = Math.min(HEALTH_MAX_MS, took / STATS_SHARE) - HEALTH_MS / 10;
    [this.#restUntil, this.#isAsking] = [begun + rest, false];
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

/**
 * Of the looks since the report before, the last one last: means of what was measured, so that a bad second between
 * two reports counts as one. What was not measured is left out; null when that is everything.
 */
export function reportOf(looks: CallStats[]): StatsReport | null {
  const { transport, networkType, cpuLimited } = looks.at(-1)!;
  const means = (["rtt", "jitter", "packetLoss", "mos"] as const).flatMap((name) => {
    const known = looks.map((look) => look[name]).filter((value) => value !== null);
    return known.length > 0 ? [[name, known.reduce((sum, value) => sum + value) / known.length]] : [];
  });
  if (transport === null || means.length === 0) return null;
  return {
    transport,
    ...Object.fromEntries(means),
    ...(networkType && { networkType }),
    ...(cpuLimited && { cpuLimited }),
  };
}
