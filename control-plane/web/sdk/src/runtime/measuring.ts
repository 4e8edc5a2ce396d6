/** What was measured last in a call. What measures is loaded once there is one: the first sound does not wait for it. */
import type { InputLevels } from "../dsp/input-chain";
import type { Health } from "./health";
import type { Media } from "./media";
import type { Monitor, MonitorHandlers } from "./monitor";
import type { Request } from "./signaling";
import { isLoud } from "./snapshot";
import type { Speakers } from "./speakers";
import type { CallStats } from "./stats";

export interface MeasuringHandlers extends Omit<MonitorHandlers, "health"> {
  changed(): void;
}

const WELL: Health = { people: new Map(), noSound: false };

export class Measuring {
  stats: CallStats | null = null;
  health = WELL;
  /** By session, in dBFS. */
  levels = new Map<string, number>();
  #loaded: Promise<Monitor> | null = null;
  #running: Monitor | null = null;
  /** Moves with each start and stop. */
  #turn = 0;

  constructor(
    private readonly request: Request,
    private readonly speakers: Speakers,
    private readonly handlers: MeasuringHandlers,
  ) {}

  start(media: Media): void {
    const turn = ++this.#turn;
    (this.#loaded ??= this.#load()).then(
      (monitor) => {
        if (turn !== this.#turn) return;
        this.#running = monitor;
        monitor.start(media);
      },
      (error: unknown) => {
        this.#loaded = null;
        // Nothing is measured then, so nothing will be reported either.
        this.handlers.refused("voice:stats:report", error);
      },
    );
  }

  /** What was measured stays. */
  stop(): void {
    this.#turn += 1;
    this.#running?.stop();
    this.#running = null;
  }

  forget(): void {
    this.stats = null;
    this.health = WELL;
    this.levels = new Map();
  }

  microphone(levels: InputLevels): void {
    this.#running?.microphone(levels);
  }

  async #load(): Promise<Monitor> {
    const { Monitor } = await import("./monitor");
    const { handlers } = this;
    return new Monitor(this.request, this.speakers, {
      ...handlers,
      stats: (stats) => {
        this.stats = stats;
        handlers.stats(stats);
        handlers.changed();
      },
      levels: (levels) => {
        const isLouder = ([sessionId, level]: [string, number]) => isLoud(level) !== isLoud(this.levels.get(sessionId));
        const changes = [...levels].some(isLouder);
        this.levels = levels;
        handlers.levels(levels);
        if (changes) handlers.changed();
      },
      health: (health) => {
        this.health = health;
        handlers.changed();
      },
    });
  }
}
