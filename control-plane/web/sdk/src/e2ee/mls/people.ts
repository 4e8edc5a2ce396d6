/** Who is in the channel by the server's word, held against who is in the group by MLS. */
import type { Member } from "./port";

export interface Listed {
  sessionId: string;
  userId: string;
  /** Without a socket: it is there and does nothing. */
  reconnecting: boolean;
}

/** How long somebody may be in the group before the server names them, in milliseconds. */
const UNLISTED_FOR = 1_000;

export class ListedPeople {
  #people = new Map<string, Listed>();
  /** When each came to be there. */
  #since = new Map<string, number>();
  #leftAt = new Map<string, number>();
  #firstUnlisted = new Map<string, number>();
  /** Leaves, by their keys, whose credential was refused. */
  #refused = new Map<string, number>();
  /** Sessions that were in the group by a leaf that is not theirs, or not believed: they are not let in again. */
  #shunned = new Set<string>();

  constructor(readonly own: string) {}

  get all(): Listed[] {
    return [...this.#people.values()];
  }

  has(sessionId: string): boolean {
    return this.#people.has(sessionId) || sessionId === this.own;
  }

  /** Whether somebody can be expected to act. */
  isAlive(sessionId: string): boolean {
    return sessionId === this.own || this.#people.get(sessionId)?.reconnecting === false;
  }

  since(sessionId: string): number {
    return this.#since.get(sessionId) ?? 0;
  }

  /** Who left since the last time. */
  set(people: readonly Listed[], now: number): string[] {
    const before = this.#people;
    this.#people = new Map(people.map((it) => [it.sessionId, it]));
    for (const { sessionId, reconnecting } of people) {
      this.#leftAt.delete(sessionId);
      const was = before.get(sessionId);
      if (!was || (was.reconnecting && !reconnecting)) this.#since.set(sessionId, now);
    }
    const left = [...before.keys()].filter((sessionId) => !this.#people.has(sessionId));
    for (const sessionId of left) {
      this.#leftAt.set(sessionId, now);
      this.#shunned.delete(sessionId);
      this.#since.delete(sessionId);
    }
    return left;
  }

  refuse({ key, sessionId }: Member, now: number): void {
    if (!this.#refused.has(key)) this.#refused.set(key, now);
    if (this.#people.has(sessionId)) this.#shunned.add(sessionId);
  }

  isShunned(sessionId: string): boolean {
    return this.#shunned.has(sessionId);
  }

  /** From when on a member has to go, in milliseconds; Infinity: it is as the server says. */
  unwantedAt({ sessionId, userId, key }: Member, now: number): number {
    if (sessionId === this.own) return Infinity;
    const refused = this.#refused.get(key);
    if (refused !== undefined) return refused;
    const listed = this.#people.get(sessionId);
    if (listed && listed.userId === userId) {
      this.#firstUnlisted.delete(key);
      return Infinity;
    }
    if (listed) this.#shunned.add(sessionId);
    const left = this.#leftAt.get(sessionId);
    if (!listed && left !== undefined) return left;
    const first = this.#firstUnlisted.get(key) ?? now;
    this.#firstUnlisted.set(key, first);
    return first + UNLISTED_FOR;
  }

  /** Forgets leaves that are gone. */
  keepOnly(members: readonly Member[]): void {
    const keys = new Set(members.map(({ key }) => key));
    for (const known of [this.#firstUnlisted, this.#refused]) {
      for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
    }
    const sessions = new Set(members.map(({ sessionId }) => sessionId));
    for (const sessionId of this.#leftAt.keys()) if (!sessions.has(sessionId)) this.#leftAt.delete(sessionId);
  }
}
