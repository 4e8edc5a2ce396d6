/** What a client knows of groups and epochs that it is not in, and what it does to get in. */
import type { Incoming } from "./exchange";
import { isBetter } from "./order";
import type { ListedPeople } from "./people";
import type { GroupInfo, GroupState } from "./port";
import { LATE, STEP, WELCOME_WAIT } from "./timing";

const WELCOMES_MAX = 4;
const INFOS_MAX = 8;

/** What is next: `at` is when, unless something else comes before. */
export interface NextStep {
  what: "propose" | "join";
  at: number;
}

export class Entrance<Info extends GroupInfo> {
  /** To join by: of a better group, or of a later epoch. `isSpent`: there is a later epoch. */
  known: { info: Info; isSpent: boolean; at: number } | null = null;
  proposedAt = -Infinity;
  /** When the first package was handed in. */
  askedAt = Infinity;
  /** `tried`: the tags of GroupInfos with which it is none for this client. */
  #welcomes: { welcome: Incoming; tried: Set<string> }[] = [];
  #infos = new Map<string, Info>();

  /** Whether a package was handed in, or a Welcome lacks its tree. */
  get isAwaited(): boolean {
    return this.#welcomes.length > 0 || this.proposedAt > -Infinity;
  }

  keep(info: Info, now: number): void {
    this.known = { info, isSpent: false, at: now };
    this.#infos.set(info.tag, info);
    if (this.#infos.size <= INFOS_MAX) return;
    const oldest = this.#infos.keys().next().value ?? "";
    this.#infos.delete(oldest);
    for (const { tried } of this.#welcomes) tried.delete(oldest);
  }

  keepWelcome(welcome: Incoming): void {
    this.#welcomes = [{ welcome, tried: new Set<string>() }, ...this.#welcomes].slice(0, WELCOMES_MAX);
  }

  /** Welcomes with trees that may be theirs, of something better than one is in; each such pair once. */
  *welcomes(state: GroupState | null): Generator<{ welcome: Incoming; info: Info }> {
    for (const { welcome, tried } of this.#welcomes)
      for (const info of this.#infos.values()) {
        if (info.epoch !== welcome.epoch || tried.has(info.tag) || !isBetter(info, state)) continue;
        tried.add(info.tag);
        yield { welcome, info };
      }
  }

  /** A commit ended this epoch: nobody joins by it any more. */
  ended(group: string, epoch: number): void {
    if (this.known?.info.group === group && epoch >= this.known.info.epoch) this.known.isSpent = true;
  }

  proposed(now: number): void {
    this.proposedAt = now;
    this.askedAt = Math.min(this.askedAt, now);
  }

  adopted(next: GroupState): void {
    this.proposedAt = -Infinity;
    this.askedAt = Infinity;
    this.#welcomes = [];
    if (this.known && !isBetter(this.known.info, next)) this.known = null;
  }

  /**
   * Into a better group, or a later epoch of one's own; null: there is none. Who is in by a package is told by a
   * Welcome; whose package nobody took helps himself, one after the other.
   */
  next(state: GroupState | null, people: ListedPeople, behindAt: number | null, now: number): NextStep | null {
    const { known, askedAt, proposedAt } = this;
    if (!known || !isBetter(known.info, state)) return null;
    const { group, members } = known.info;
    // The commits that lead there may be on their way.
    if (group === state?.group) return { what: "join", at: (behindAt ?? known.at) + LATE };
    const isIn = (it: string) => members.some(({ sessionId }) => sessionId === it);
    const waiting = people.all.map(({ sessionId }) => sessionId).filter((it) => people.isAlive(it) && !isIn(it));
    const isMember = isIn(people.own);
    if (proposedAt === -Infinity && waiting.length > 0 && !isMember) return { what: "propose", at: now };
    const place = waiting.filter((it) => it < people.own).length;
    const wait = WELCOME_WAIT + (isMember ? 0 : (place % 8) * (STEP / 4));
    return { what: "join", at: askedAt === Infinity ? now : askedAt + wait };
  }
}
