import { Epoch, type EpochSecret, epochId, type Mark, type Marks } from "./epoch";

/** How long an epoch is accepted after the next one, in milliseconds. */
export const ACCEPTED_AFTER_ADDITION = 10_000;
export const ACCEPTED_AFTER_REMOVAL = 1_000;
/** Until whoever made an epoch sends with it: the others have to be given it first. */
export const OWN_DELAY = 700;
/** Of a group that 25 people join one after the other all are in use for a moment. */
const EPOCHS_MAX = 32;

export interface Installation extends EpochSecret {
  /** Somebody who has the epochs before must not have this one. */
  removal: boolean;
  /** When it is sent with: at once, or when the others can be expected to have it. */
  delayed: boolean;
  /** Nothing is sent with it until it is installed again without: somebody who has it may not be there. */
  held?: boolean;
}

/** The epochs that are accepted, and the one that is sent with. The time is given, in milliseconds. */
export class KeyRing {
  #epochs: Epoch[] = [];
  /** The highest number that was erased; nothing up to it is taken again. */
  #erased = 0;

  /** `marks`: counters that this profile opened before. */
  constructor(
    private readonly channelId: string,
    private readonly marks: Marks = new Map(),
  ) {}

  /** Of all epochs, what was opened since the last time. */
  takeMarks(): Mark[] {
    return this.#epochs.flatMap((epoch) => epoch.takeMarks());
  }

  /** False: one of the same number or a higher one is erased, so its time is over. */
  async install(given: Installation, now: number): Promise<boolean> {
    const epoch = await Epoch.create(given, this.channelId, this.marks);
    this.sweep(now);
    if (given.number <= this.#erased) return false;
    const known = this.#epochs.find(({ number, code }) => number === epoch.number && code === epoch.code);
    const older = this.#epochs.filter(({ number }) => number < epoch.number);
    const used = older.filter((it) => it.sendsFrom <= now && now < it.stopsAt);
    // No later than those there are stop.
    const lastUse = Math.max(now, ...used.map(({ stopsAt }) => stopsAt));
    const sendsFrom = given.delayed ? Math.min(now + OWN_DELAY, lastUse) : now;
    if (known) {
      if (!given.held) known.sendsFrom = Math.min(known.sendsFrom, sendsFrom);
      return true;
    }
    epoch.sendsFrom = given.held ? Infinity : sendsFrom;
    const end = now + (given.removal ? ACCEPTED_AFTER_REMOVAL : ACCEPTED_AFTER_ADDITION);
    for (const it of older) it.erasesAt = Math.min(it.erasesAt, end);
    // One that comes late is only to be read with.
    if (this.#epochs.some(({ number }) => number > epoch.number)) epoch.erasesAt = now + ACCEPTED_AFTER_REMOVAL;
    this.#epochs.push(epoch);
    this.#epochs.sort((a, b) => b.number - a.number || (a.code < b.code ? 1 : -1));
    for (const it of this.#epochs.splice(EPOCHS_MAX)) this.#forget(it);
    return true;
  }

  /** Forgets everything: other keys follow, of a group that is not known yet. */
  reset(): void {
    this.#epochs = [];
    this.#erased = 0;
  }

  /** Nothing is sent under the epochs there are from a second on. */
  somebodyLeft(now: number): void {
    for (const epoch of this.#epochs) epoch.stopsAt = Math.min(epoch.stopsAt, now + ACCEPTED_AFTER_REMOVAL);
  }

  /** Erases what is over. When the next one is: in milliseconds, or Infinity. */
  sweep(now: number): number {
    const over = this.#epochs.filter(({ erasesAt }) => erasesAt <= now);
    for (const epoch of over) this.#forget(epoch);
    if (over.length > 0) this.#epochs = this.#epochs.filter((it) => !over.includes(it));
    return this.#epochs.reduce((first, { erasesAt }) => Math.min(first, erasesAt), Infinity);
  }

  #forget(epoch: Epoch): void {
    // Of two with one number the other one may still be in use.
    const isShared = this.#epochs.some((it) => it !== epoch && it.number === epoch.number && it.erasesAt === Infinity);
    if (!isShared) this.#erased = Math.max(this.#erased, epoch.number);
  }

  /** What to send with; null: nothing may be sent. */
  sending(now: number): Epoch | null {
    this.sweep(now);
    return this.#epochs.find((it) => it.sendsFrom <= now && now < it.stopsAt) ?? null;
  }

  /** The newest, which is sent with now or in a moment. */
  get newest(): Epoch | null {
    return this.#epochs[0] ?? null;
  }

  /** Whether frames of this very epoch are opened. */
  accepts(epoch: Epoch, now: number): boolean {
    return now < epoch.erasesAt && this.#epochs.includes(epoch);
  }

  /** Those that a KID may be of. */
  accepted(id: number, now: number): Epoch[] {
    this.sweep(now);
    return this.#epochs.filter(({ number }) => epochId(number) === id);
  }
}
