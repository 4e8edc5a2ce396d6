/** The commits that led to one's epoch, for those who missed them, and those that came before their time. */
import type { Incoming } from "./exchange";
import type { Past } from "./port";
import { EARLY_MAX, PAST_MAX } from "./timing";

export class CommitLog {
  #past: Past[] = [];
  /** By the epoch that each ends. */
  #early = new Map<number, Incoming>();

  /** `isNewGroup`: what was before is of another one. */
  adopted(by: readonly Past[], epoch: number, isNewGroup: boolean): void {
    this.#past = [...(isNewGroup ? [] : this.#past), ...by].slice(-PAST_MAX);
    if (isNewGroup) this.#early.clear();
    for (const it of this.#early.keys()) if (it < epoch) this.#early.delete(it);
  }

  keepEarly(epoch: number, commit: Incoming): void {
    if (this.#early.size < EARLY_MAX) this.#early.set(epoch, commit);
  }

  takeEarly(epoch: number): Incoming | null {
    const early = this.#early.get(epoch) ?? null;
    this.#early.delete(epoch);
    return early;
  }

  /** The last ones, of so many bytes in all. */
  within(bytes: number): Past[] {
    let left = bytes;
    const last = [...this.#past].reverse();
    const tooMuch = last.findIndex(({ commit }) => (left -= commit.length) < 0);
    return (tooMuch < 0 ? last : last.slice(0, tooMuch)).reverse();
  }
}
