/** Where one client stands: its group and epoch, a commit of its own on the way, and what it knows of the others. */
import type { Bytes } from "../bytes";
import { CommitLog } from "./commit-log";
import { Entrance } from "./entrance";
import type { Fault, Own } from "./exchange";
import { epochNumber } from "./group-id";
import { Newcomers } from "./newcomers";
import { placeOf, rank, waitingFor } from "./order";
import { Outbox } from "./outbox";
import { ListedPeople, type Listed } from "./people";
import type { GroupInfo, GroupState, KeyPackage, Member, Mls, Past } from "./port";
import { PAST_BYTES } from "./timing";

export class Standing<State extends GroupState, Info extends GroupInfo, Package extends KeyPackage> {
  readonly out = new Outbox();
  readonly people: ListedPeople;
  readonly entrance = new Entrance<Info>();
  readonly newcomers = new Newcomers<Package>();
  readonly log = new CommitLog();
  state: State | null = null;
  /** Since when this epoch is one's own. */
  epochAt = 0;
  enteredAt: number;
  /** A commit of one's own that the server has not answered yet. */
  own: Own<State> | null = null;
  /** The last commit of one's own, which may have been taken. */
  made: Own<State> | null = null;
  /** Since when there are later epochs than one's own. */
  behindAt: number | null = null;
  /** The group cannot go on: the server has taken a commit that is none. */
  stuckAt: number | null = null;
  /** Whose commits were none. */
  readonly named = new Set<string>();
  /** Somebody in this epoch is not there by the server's word, so that nothing is to be sent under it. */
  isHeld = false;

  constructor(
    readonly mls: Mls<State, Info, Package>,
    own: string,
    people: readonly Listed[],
    now: number,
    /** Of groups, the highest that is known. */
    public generation: number,
  ) {
    this.people = new ListedPeople(own);
    this.people.set(people, now);
    this.enteredAt = now;
  }

  get place(): number {
    return this.state ? placeOf(this.state, this.people, this.named) : 0;
  }

  memberOf(sessionId: string): Member | undefined {
    return this.state?.members.find((it) => it.sessionId === sessionId);
  }

  name(sessionId: string, fault: Fault): void {
    if (fault === "badCommit") this.named.add(sessionId);
    this.out.name(sessionId, fault);
  }

  left(sessionId: string): void {
    this.newcomers.left(sessionId);
    this.named.delete(sessionId);
    this.out.forget(sessionId);
  }

  commit(data: Bytes, next: State, welcomes: { sessionId: string; welcome: Bytes }[], past: readonly Past[] = []): void {
    const id = this.out.send("commit", next.epoch - 1, data);
    this.own = this.made = { id, base: this.state?.tag ?? "", next, welcomes, data, past, lostAt: null, isResent: false };
  }

  async adoptOwn({ next, welcomes, data, past }: Own<State>, now: number): Promise<void> {
    // Not everybody there has the epochs that somebody who joins had before.
    const isJoin = this.state?.group !== next.group;
    await this.adopt(next, now, [...past, { author: this.people.own, commit: data }], !isJoin);
    if (welcomes.length > 0) await this.tellInfo(welcomes.length === 1 ? welcomes[0]?.sessionId : undefined, now);
    for (const { sessionId, welcome } of welcomes) this.out.send("welcome", next.epoch, welcome, sessionId);
  }

  /** `by`: the commits that lead there from the last epoch. */
  async adopt(next: State, now: number, by: readonly Past[], own = false): Promise<void> {
    const before = this.state;
    const removal = before !== null && before.members.some((it) => this.isRemoved(it, next, now));
    this.state = next;
    this.epochAt = now;
    this.behindAt = this.stuckAt = this.own = this.made = null;
    this.entrance.adopted(next);
    this.newcomers.adopted(next, before);
    this.log.adopted(by, next.epoch, before?.group !== next.group);
    this.people.keepOnly(next.members);
    this.generation = Math.max(this.generation, rank(next).generation);
    this.isHeld = this.hasUnlisted(next, now);
    await this.tellEpoch(next, removal, own);
  }

  async tellEpoch(state: State, removal: boolean, own: boolean): Promise<void> {
    const number = epochNumber(rank(state), state.epoch);
    const secret = await this.mls.secret(state);
    this.out.put({ type: "epoch", number, secret, members: state.members, removal, own, held: this.isHeld });
  }

  /** Whoever the server does not name may be listening: nothing is sent to them until it does, or they are out. */
  async release(state: State, now: number): Promise<void> {
    if (!this.isHeld || this.hasUnlisted(state, now)) return;
    this.isHeld = false;
    await this.tellEpoch(state, false, false);
  }

  hasUnlisted({ members }: State, now: number): boolean {
    return members.some((it) => this.people.unwantedAt(it, now) < Infinity);
  }

  /** Whether a member must not have what follows. */
  isRemoved(member: Member, next: State, now: number): boolean {
    const stays = next.members.some(({ sessionId }) => sessionId === member.sessionId);
    return !stays && (!this.people.has(member.sessionId) || this.people.unwantedAt(member, now) <= now);
  }

  /** The state that one is at, for somebody who seems to be at another. */
  async answer(sessionId: string, now: number): Promise<void> {
    if (!this.people.has(sessionId) || this.people.isShunned(sessionId)) return;
    if (!this.newcomers.mayAnswer(sessionId, now)) return;
    await this.tellInfo(sessionId, now);
  }

  async tellInfo(to: string | undefined, now: number): Promise<void> {
    const state = this.state;
    if (!state) return;
    const isBehind = to !== undefined && this.memberOf(to) !== undefined;
    const past = this.log.within(isBehind ? PAST_BYTES : PAST_BYTES / 2);
    this.out.send("groupInfo", state.epoch, await this.mls.info(state, past), to);
    this.newcomers.tell(to === undefined ? waitingFor(state, this.people) : [to], state.tag, now);
  }
}
