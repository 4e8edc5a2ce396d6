/** Who is to be let into the group, members that cannot go on by themselves, and what both were told. */
import type { GroupState, KeyPackage, Member } from "./port";
import { AGAIN, ANSWER_INTERVAL, LOST_FOR, PACKAGES_MAX } from "./timing";

const ANSWERED_MAX = 64;

export class Newcomers<Package extends KeyPackage> {
  #packages = new Map<string, { given: Package; at: number }>();
  /** Members that cannot go on, by their words, and their leaves. `askedAt`: when they said so last. */
  #lost = new Map<string, { key: string; at: number; askedAt: number }>();
  /** The epoch of the last GroupInfo for each. */
  #told = new Map<string, { tag: string; at: number }>();
  #answered = new Map<string, number>();

  /** Without those that have not asked again: nobody says that an answer helped. */
  lost(now: number): [sessionId: string, since: number][] {
    for (const [sessionId, { askedAt }] of this.#lost) if (now - askedAt > LOST_FOR) this.#lost.delete(sessionId);
    return [...this.#lost].map(([sessionId, { at }]) => [sessionId, at]);
  }

  get waiting(): string[] {
    return [...this.#packages.keys()];
  }

  packageOf(sessionId: string): { given: Package; at: number } | undefined {
    return this.#packages.get(sessionId);
  }

  /** A later one takes the place of the one before. */
  keep(given: Package, now: number): void {
    const before = this.#packages.get(given.sessionId);
    if (!before && this.#packages.size >= PACKAGES_MAX) return;
    this.#packages.set(given.sessionId, { given, at: before?.at ?? now });
  }

  drop(given: Package): void {
    this.#packages.delete(given.sessionId);
  }

  /** A member asks to be added: it lost its way, and helps itself with a GroupInfo. */
  isLost({ sessionId, key }: Member, now: number): void {
    const before = this.#lost.get(sessionId);
    this.#lost.set(sessionId, { key: before?.key ?? key, at: before?.at ?? now, askedAt: now });
    this.#told.delete(sessionId);
  }

  tell(sessionIds: readonly string[], tag: string, now: number): void {
    for (const sessionId of sessionIds) this.#told.set(sessionId, { tag, at: now });
  }

  /** When a GroupInfo of this epoch is due again. */
  tellAt(sessionId: string, tag: string): number {
    const told = this.#told.get(sessionId);
    return told?.tag === tag ? told.at + AGAIN : 0;
  }

  /** False: it was answered a moment ago. */
  mayAnswer(sessionId: string, now: number): boolean {
    if (now - (this.#answered.get(sessionId) ?? -Infinity) < ANSWER_INTERVAL) return false;
    if (this.#answered.size > ANSWERED_MAX) this.#answered.clear();
    this.#answered.set(sessionId, now);
    return true;
  }

  /** Who came in by a commit waits no more. */
  adopted(next: GroupState, before: GroupState | null): void {
    for (const { sessionId, key } of next.members) {
      if (before?.members.every((it) => it.key !== key)) this.#packages.delete(sessionId);
      const lost = this.#lost.get(sessionId);
      if (lost && lost.key !== key) this.#lost.delete(sessionId);
    }
  }

  left(sessionId: string): void {
    for (const known of [this.#packages, this.#lost, this.#told, this.#answered]) known.delete(sessionId);
  }
}
