/**
 * One client's part in the group of a channel: what it does when somebody comes, leaves, says something, or says
 * nothing. No sockets, no clock: messages and the time in milliseconds come in, messages and epochs go out. Whatever
 * is called has to end before the next thing is.
 */
import { type Bytes, equal } from "../bytes";
import type { Fault, Incoming, Kind, Outcome, Output, Own } from "./exchange";
import { bytesOf, compare, epochNumber, freshGroupId, type GroupRank, LAST_EPOCH, LAST_GENERATION, rankOf } from "./group-id";
import { ListedPeople, type Listed } from "./people";
import type { GroupInfo, GroupState, KeyPackage, Member, Mls, Past } from "./port";
import {
  AGAIN,
  ANSWER_INTERVAL,
  BANNED_MAX,
  BEHIND_MAX,
  BROADCAST_FROM,
  COLLECT,
  EARLY_MAX,
  FOUND_AFTER,
  GENERATIONS_AHEAD,
  LATE,
  PACKAGES_MAX,
  PAST_BYTES,
  PAST_MAX,
  STEP,
  WELCOME_WAIT,
} from "./timing";

export class MlsAgent<State extends GroupState, Info extends GroupInfo, Package extends KeyPackage> {
  #out: Output[] = [];
  #people: ListedPeople;
  #wakeAt = Infinity;
  #id = 0;
  #state: State | null = null;
  /** Since when this epoch is one's own. */
  #epochAt = 0;
  #enteredAt: number;
  /** Nothing that is known of a group may be below. */
  #generation = 0;
  /** A commit of one's own that the server has not answered yet. */
  #own: Own<State> | null = null;
  /** The last commit of one's own, which may have been taken. */
  #made: Own<State> | null = null;
  /** To join by: of a better group, or of a later epoch. `isSpent`: there is a later epoch. */
  #info: { info: Info; isSpent: boolean; at: number } | null = null;
  #proposedAt = -Infinity;
  /** When the first package was handed in. */
  #askedAt = Infinity;
  #packages = new Map<string, { given: Package; at: number }>();
  /** Members that cannot go on, by their words, and their leaves. */
  #lost = new Map<string, { key: string; at: number }>();
  #told = new Map<string, { tag: string; at: number }>();
  #answered = new Map<string, number>();
  /** The commits that led to this epoch, the last ones. */
  #past: Past[] = [];
  /** Commits that came before their time, by epoch. */
  #early = new Map<number, Incoming>();
  #welcomes: Incoming[] = [];
  #infos = new Map<string, Info>();
  #behindAt: number | null = null;
  /** The group cannot go on: the server has taken a commit that is none. */
  #stuckAt: number | null = null;
  #named = new Set<string>();
  /** Leaves, by their keys, that have to go. */
  #leavers = new Set<string>();
  /** By session, what was said of it. */
  #isTold = new Map<string, Set<Fault>>();

  constructor(
    private readonly mls: Mls<State, Info, Package>,
    own: string,
    people: readonly Listed[],
    now: number,
    /** The highest that was known before this stay. */
    generation = 0,
  ) {
    this.#people = new ListedPeople(own);
    this.#people.set(people, now);
    this.#enteredAt = now;
    this.#generation = generation;
  }

  get sessionId(): string {
    return this.#people.own;
  }

  /** For whoever looks for a fault. */
  describe(): Record<string, unknown> {
    return {
      own: this.#own && { id: this.#own.id, lostAt: this.#own.lostAt },
      info: this.#info && { group: this.#info.info.group.slice(0, 8), epoch: this.#info.info.epoch, isSpent: this.#info.isSpent, at: this.#info.at },
      behindAt: this.#behindAt,
      stuckAt: this.#stuckAt,
      proposedAt: this.#proposedAt,
      askedAt: this.#askedAt,
      banned: this.#state?.banned,
      named: [...this.#named],
      lost: [...this.#lost.keys()],
      packages: [...this.#packages.keys()],
      wakeAt: this.#wakeAt,
    };
  }

  get generation(): number {
    return this.#generation;
  }

  get state(): State | null {
    return this.#state;
  }

  /** Members that are not, or not as such, in the channel by the server's word. */
  unlisted(now: number): Member[] {
    return (this.#state?.members ?? []).filter((it) => this.#people.unwantedAt(it, now) <= now);
  }

  /** When `tick` is to be called, unless something else comes before. */
  get wakeAt(): number {
    return this.#wakeAt;
  }

  async begin(now: number): Promise<Output[]> {
    return this.#after(now);
  }

  tick(now: number): Promise<Output[]> {
    return this.#after(now);
  }

  /** Who else is there. */
  async people(people: readonly Listed[], now: number): Promise<Output[]> {
    for (const sessionId of this.#people.set(people, now)) {
      for (const known of [this.#packages, this.#lost, this.#named, this.#answered]) known.delete(sessionId);
      this.#isTold.delete(sessionId);
    }
    return this.#after(now);
  }

  /** A leaf whose credential is not believed. */
  async refuse(key: string, now: number): Promise<Output[]> {
    const member = this.#state?.members.find((it) => it.key === key);
    if (member) this.#people.refuse(member, now);
    return this.#after(now);
  }

  /** Somebody's frames cannot be opened. */
  async missing(sessionId: string, now: number): Promise<Output[]> {
    if (this.#memberOf(sessionId)) await this.#answer(sessionId, now);
    return this.#after(now);
  }

  async sent(id: number, outcome: Outcome, now: number): Promise<Output[]> {
    const own = this.#own;
    if (own?.id !== id) return this.#after(now);
    if (outcome === "failed") {
      // Whether it arrived is unknown: it is sent again.
      own.lostAt = now;
    } else {
      this.#own = null;
      const isBehind = this.#state ? own.base === this.#state.tag : true;
      // Sent again because nobody answered: what was taken is the first one, or another's would have come since.
      const isTaken = outcome === "taken" || own.isResent;
      if (isTaken && isBehind) await this.#adoptOwn(own, now);
      // The one that was the first is on its way, or was lost.
      else if (outcome === "late") this.#isLate(now);
    }
    return this.#after(now);
  }

  #isLate(now: number): void {
    this.#behindAt ??= now;
    if (this.#info) this.#info.isSpent = true;
  }

  async message(message: Incoming, now: number): Promise<Output[]> {
    if (message.sessionId === this.#people.own) return this.#after(now);
    try {
      if (message.kind === "groupInfo") await this.#onInfo(message, now);
      else if (message.kind === "proposal") await this.#onProposal(message, now);
      else if (message.kind === "welcome") this.#welcomes = [message, ...this.#welcomes].slice(0, 4);
      else await this.#onCommit(message, now);
    } catch {
      // It is no such message: nothing follows from it but whose it was.
      if (message.kind !== "welcome") this.#name(message.sessionId, "badProposal");
    }
    return this.#after(now);
  }

  async #after(now: number): Promise<Output[]> {
    this.#wakeAt = Infinity;
    await this.#tryWelcomes(now);
    await this.#act(now);
    const out = this.#out;
    this.#out = [];
    return out;
  }

  // ---- what others say

  async #onCommit(message: Incoming, now: number): Promise<void> {
    const envelope = this.mls.envelope(message.data);
    const state = this.#state;
    if (envelope && this.#info?.info.group === envelope.group && envelope.epoch >= this.#info.info.epoch) this.#info.isSpent = true;
    const own = this.#own;
    // Another one was the first of that epoch.
    if (envelope && own && envelope.group === own.next.group && envelope.epoch === own.next.epoch - 1) this.#own = this.#made = null;
    if (!envelope || !state || envelope.group !== state.group || envelope.epoch < state.epoch) return;
    const made = this.#made;
    if (made && made.base === state.tag && envelope.epoch === made.next.epoch && envelope.group === made.next.group) {
      // If it follows one's own, that was taken, though nobody said so.
      const follows = await this.mls.apply(made.next, message.data, message.sessionId).catch(() => null);
      if (follows) await this.#adoptOwn(made, now);
      if (follows) return this.#onCommit(message, now);
    }
    if (envelope.epoch > state.epoch) {
      if (this.#early.size < EARLY_MAX) this.#early.set(envelope.epoch, message);
      this.#behindAt ??= now;
      return;
    }
    this.#own = null;
    try {
      const next = await this.mls.apply(state, message.data, message.sessionId);
      await this.#adopt(next, now, [{ author: message.sessionId, commit: message.data }]);
    } catch (error) {
      if (error instanceof Error && error.name === "Removed") return this.#removed(now);
      // The server takes no other commit of this epoch: the group is over.
      this.#name(message.sessionId, "badCommit");
      this.#stuckAt ??= now;
    }
  }

  /** Taken out by the others; who is still there comes back. */
  #removed(now: number): void {
    this.#state = null;
    this.#own = this.#behindAt = this.#stuckAt = null;
    this.#enteredAt = now;
  }

  async #onProposal({ sessionId, data }: Incoming, now: number): Promise<void> {
    const given = await this.mls.readProposal(data);
    if (given.sessionId !== sessionId) throw new Error("a package of somebody else");
    const member = this.#memberOf(sessionId);
    // A second copy of the one that it is in by.
    if (member?.key === given.key) return;
    if (member) {
      // A member that lost its way: it helps itself, with a GroupInfo.
      if (!this.#lost.has(sessionId)) this.#lost.set(sessionId, { key: member.key, at: now });
      this.#told.delete(sessionId);
      // Unless its commits are not applied: then it is taken out and in again.
      if (!this.#state?.banned.includes(sessionId)) return;
    }
    const before = this.#packages.get(sessionId);
    if (!before && this.#packages.size >= PACKAGES_MAX) return;
    this.#packages.set(sessionId, { given, at: before?.at ?? now });
  }

  async #onInfo({ sessionId, data }: Incoming, now: number): Promise<void> {
    const envelope = this.mls.envelope(data);
    const rank = envelope && rankOf(bytesOf(envelope.group));
    if (!envelope || !rank) throw new Error("no GroupInfo of ours");
    const state = this.#state;
    const order = compare({ ...envelope, rank }, state && { ...state, rank: this.#rank(state) });
    if (state && order !== 0 && state.group !== envelope.group && this.#rank(state).place === rank.place) {
      // The numbers of their epochs are the same, so that neither is gone on with.
      this.#stuckAt ??= now;
      return;
    }
    if (state && order < 0) return this.#answer(sessionId, now);
    if (state && rank.generation > this.#generation + GENERATIONS_AHEAD) throw new Error("too far ahead");
    const isAwaited = this.#welcomes.length > 0 || this.#proposedAt > -Infinity;
    const known = this.#info && compare({ ...envelope, rank }, { ...this.#info.info, rank: this.#rank(this.#info.info) });
    if (order === 0 ? false : known !== null && known <= 0 && !(isAwaited && known === 0)) return;
    const info = await this.mls.readInfo(data);
    if (info.signer.sessionId !== sessionId) throw new Error("signed by somebody else");
    if (state && order === 0) {
      // Two epochs of one number: the server showed different commits to different members.
      if (state.tag !== info.tag) this.#stuckAt ??= now;
      return;
    }
    this.#generation = Math.max(this.#generation, rank.generation);
    this.#info = { info, isSpent: false, at: now };
    this.#infos.set(info.tag, info);
    if (this.#infos.size > 8) this.#infos.delete(this.#infos.keys().next().value ?? "");
    if (!state || info.group !== state.group) return;
    this.#behindAt ??= now;
    await this.#follow(state, info, now);
  }

  /** By the commits that one missed, if they lead to the very epoch of the GroupInfo. */
  async #follow(state: State, { epoch, tag, commits }: Info, now: number): Promise<void> {
    const missed = commits.slice(Math.min(0, state.epoch - epoch));
    if (missed.length < epoch - state.epoch) return;
    let next = state;
    for (const { author, commit } of missed) {
      const made = this.#made;
      const isOwn = made !== null && made.base === next.tag && author === this.#people.own && equal(made.data, commit);
      const followed = isOwn ? made.next : await this.mls.apply(next, commit, author).catch(() => null);
      if (!followed) return;
      next = followed;
    }
    if (next.tag === tag) await this.#adopt(next, now, missed);
  }

  async #tryWelcomes(now: number): Promise<void> {
    // A commit of one's own may have been taken, and leads further.
    if (this.#own) return;
    for (const welcome of this.#welcomes) {
      for (const info of this.#infos.values()) {
        const state = this.#state;
        if (info.epoch !== welcome.epoch || !this.#isBetter(info, state)) continue;
        const joined = await this.mls.joinByWelcome(welcome.data, info).catch(() => null);
        if (!joined) continue;
        await this.#adopt(joined, now, info.commits);
        return;
      }
    }
  }

  #name(sessionId: string, fault: Fault): void {
    if (fault === "badCommit") this.#named.add(sessionId);
    const told = this.#isTold.get(sessionId) ?? new Set();
    if (told.has(fault)) return;
    this.#isTold.set(sessionId, told.add(fault));
    this.#out.push({ type: "named", sessionId, fault });
  }

  // ---- a new epoch

  async #adoptOwn({ next, welcomes, data, past }: Own<State>, now: number): Promise<void> {
    // Not everybody there has the epochs that somebody who joins had before.
    const isJoin = this.#state?.group !== next.group;
    await this.#adopt(next, now, [...past, { author: this.#people.own, commit: data }], !isJoin);
    if (welcomes.length > 0) await this.#tellInfo(welcomes.length === 1 ? welcomes[0]?.sessionId : undefined, now);
    for (const { sessionId, welcome } of welcomes) this.#send("welcome", next.epoch, welcome, sessionId);
  }

  /** `by`: the commits that lead there from the last epoch. */
  async #adopt(next: State, now: number, by: readonly Past[], own = false): Promise<void> {
    const before = this.#state;
    const removal = before !== null && before.members.some((it) => this.#isRemoved(it, next, now));
    this.#state = next;
    this.#epochAt = now;
    this.#behindAt = this.#stuckAt = this.#own = this.#made = null;
    this.#proposedAt = -Infinity;
    this.#askedAt = Infinity;
    this.#welcomes = [];
    if (this.#info && !this.#isBetter(this.#info.info, next)) this.#info = null;
    if (before?.group !== next.group) this.#early.clear();
    for (const epoch of this.#early.keys()) if (epoch < next.epoch) this.#early.delete(epoch);
    for (const { sessionId, key } of next.members) {
      if (before?.members.every((it) => it.key !== key)) this.#packages.delete(sessionId);
      const lost = this.#lost.get(sessionId);
      if (lost && lost.key !== key) this.#lost.delete(sessionId);
    }
    this.#people.keepOnly(next.members);
    this.#generation = Math.max(this.#generation, this.#rank(next).generation);
    const number = epochNumber(this.#rank(next), next.epoch);
    const secret = await this.mls.secret(next);
    this.#out.push({ type: "epoch", number, secret, members: next.members, removal, own });
    this.#past = [...(before?.group === next.group ? this.#past : []), ...by].slice(-PAST_MAX);
    const early = this.#early.get(next.epoch);
    if (!early) return;
    this.#early.delete(next.epoch);
    await this.#onCommit(early, now);
  }

  /** Whether a member must not have what follows. */
  #isRemoved(member: Member, next: State, now: number): boolean {
    const stays = next.members.some(({ sessionId }) => sessionId === member.sessionId);
    return !stays && (!this.#people.has(member.sessionId) || this.#people.unwantedAt(member, now) <= now);
  }

  // ---- what is to be done now

  async #act(now: number): Promise<void> {
    const state = this.#state;
    if (state) this.#tellLeft(state, now);
    if (this.#own) return this.#resend(now);
    if (await this.#move(now)) return;
    if (!state) return this.#enter(now);
    if (this.#stuckAt !== null) return this.#refound(state, this.#stuckAt, now);
    if (state.epoch >= LAST_EPOCH) return this.#refound(state, this.#epochAt, now);
    if (this.#behindAt !== null) return this.#catchUp(state, this.#behindAt, now);
    if (!(await this.#change(state, now))) await this.#letIn(state, now);
  }

  #tellLeft(state: State, now: number): void {
    const unwanted = state.members.filter((it) => this.#isDue(this.#people.unwantedAt(it, now), now)).map(({ key }) => key);
    if (unwanted.some((key) => !this.#leavers.has(key))) this.#out.push({ type: "left" });
    this.#leavers = new Set(unwanted);
  }

  /** Nothing else is done while a commit is on its way. */
  async #resend(now: number): Promise<void> {
    const own = this.#own;
    if (own?.lostAt == null || !this.#isDue(own.lostAt + LATE, now)) return;
    own.lostAt = null;
    own.isResent = true;
    own.id = this.#send("commit", own.next.epoch - 1, own.data);
  }

  /** Into a better group, or a later epoch of one's own. Whether that is what is done. */
  async #move(now: number): Promise<boolean> {
    const known = this.#info;
    if (!known || !this.#isBetter(known.info, this.#state)) return false;
    const { info } = known;
    // The commits that lead there may be on their way.
    const isOwn = info.group === this.#state?.group;
    if (isOwn && !this.#isDue((this.#behindAt ?? known.at) + LATE, now)) return true;
    const waiting = this.#people.all.map(({ sessionId }) => sessionId).filter((it) => this.#people.isAlive(it) && !info.members.some(({ sessionId }) => sessionId === it));
    const isMember = info.members.some(({ sessionId }) => sessionId === this.#people.own);
    const place = waiting.filter((it) => it < this.#people.own).length;
    const isAlone = waiting.length === 0 || isMember;
    if (this.#proposedAt === -Infinity && !isAlone) return this.#propose(info, now);
    // Who is in by a package is told by a Welcome; whose package nobody took helps himself, one after the other.
    const due = isOwn || this.#askedAt === Infinity ? now : this.#askedAt + WELCOME_WAIT + (isMember ? 0 : (place % 8) * (STEP / 4));
    if (!this.#isDue(due, now)) return true;
    if (known.isSpent || info.banned.includes(this.#people.own)) {
      // The next GroupInfo is waited for, and asked for.
      if (this.#isDue(Math.max(this.#proposedAt, known.at) + AGAIN, now)) await this.#propose(info, now);
      return true;
    }
    known.isSpent = true;
    const joined = await this.mls.joinByInfo(info).catch(() => null);
    if (!joined) {
      this.#name(info.signer.sessionId, "badProposal");
      this.#info = null;
      return false;
    }
    this.#commit(joined.commit, joined.next, [], info.commits);
    return true;
  }

  async #propose(of: State | Info, now: number): Promise<boolean> {
    this.#proposedAt = now;
    this.#askedAt = Math.min(this.#askedAt, now);
    // A GroupInfo may ask for what this client cannot do.
    const proposal = await this.mls.propose(of).catch(() => null);
    if (!proposal) {
      if (this.#info?.info === of) this.#info = null;
      return false;
    }
    this.#send("proposal", of.epoch, proposal);
    this.#isDue(now + WELCOME_WAIT, now);
    return true;
  }

  /** Without a group, and nobody who says of one. */
  async #enter(now: number): Promise<void> {
    const others = this.#people.all.map(({ sessionId }) => sessionId).filter((it) => this.#people.isAlive(it));
    const place = others.filter((it) => it < this.#people.own).length;
    const due = others.length === 0 ? now : this.#enteredAt + FOUND_AFTER + place * STEP;
    if (this.#isDue(due, now)) await this.#found(now);
  }

  async #found(now: number): Promise<void> {
    if (this.#generation >= LAST_GENERATION) return;
    const banned = [...new Set([...this.#named, ...(this.#state?.banned ?? [])])].filter((it) => this.#people.has(it) && it !== this.#people.own);
    const state = await this.mls.found(freshGroupId(this.#generation + 1), banned.slice(0, BANNED_MAX));
    await this.#adopt(state, now, [], true);
    if (this.#people.all.length > 0) await this.#tellInfo(undefined, now);
    await this.#act(now);
  }

  /** The group cannot go on: the first in order founds another. */
  async #refound(state: State, since: number, now: number): Promise<void> {
    if (this.#isDue(since + this.#place(state) * STEP, now)) await this.#found(now);
  }

  /** There are later epochs, and what leads there did not come. */
  async #catchUp(state: State, since: number, now: number): Promise<void> {
    if (this.#isDue(since + BEHIND_MAX, now)) this.#stuckAt = since + BEHIND_MAX;
    if (this.#stuckAt !== null) return this.#refound(state, this.#stuckAt, now);
    const due = Math.max(since + LATE, this.#proposedAt + AGAIN);
    if (this.#isDue(due, now)) await this.#propose(state, now);
  }

  /** By one commit: everybody out who is not there, and everybody in who handed in a package. */
  async #change(state: State, now: number): Promise<boolean> {
    const place = this.#place(state);
    const turn = (since: number) => Math.max(since, this.#epochAt) + place * STEP;
    const isLost = ({ sessionId }: Member) => state.banned.includes(sessionId) && this.#packages.has(sessionId);
    const lost = state.members.filter((it) => isLost(it) && this.#people.isAlive(it.sessionId));
    const gone = state.members.filter((it) => this.#isDue(turn(this.#people.unwantedAt(it, now)), now));
    const waiting = [...this.#waiting(state), ...lost.map(({ sessionId }) => sessionId)];
    const packages = waiting.flatMap((sessionId) => this.#packages.get(sessionId) ?? []);
    const first = Math.min(...packages.map(({ at }) => at));
    const isWhole = packages.length === waiting.length;
    const add = packages.length > 0 && this.#isDue(isWhole ? turn(first) : Math.max(turn(first), first + COLLECT), now) ? packages : [];
    if (gone.length + add.length === 0) return false;
    const back = lost.filter((it) => add.length > 0 && !gone.includes(it));
    const remove = [...gone, ...back];
    const change = { add: add.map(({ given }) => given), remove: remove.map(({ leaf }) => leaf) };
    const made = await this.mls.commit(state, change).catch(() => null);
    if (!made) {
      // A package does not fit the tree.
      for (const { given } of add) this.#packages.delete(given.sessionId);
      return false;
    }
    this.#commit(made.commit, made.next, made.welcomes);
    return true;
  }

  #commit(data: Bytes, next: State, welcomes: { sessionId: string; welcome: Bytes }[], past: readonly Past[] = []): void {
    const id = this.#send("commit", next.epoch - 1, data);
    this.#own = this.#made = { id, base: this.#state?.tag ?? "", next, welcomes, data, past, lostAt: null, isResent: false };
  }

  /** GroupInfos for those who are not in, and members that cannot go on. */
  async #letIn(state: State, now: number): Promise<void> {
    const place = this.#place(state);
    const wants = [
      ...this.#waiting(state).flatMap((it) => (this.#packages.has(it) ? [] : { sessionId: it, since: Math.max(this.#people.since(it), this.#epochAt) })),
      ...[...this.#lost].flatMap(([sessionId, { at }]) => (this.#people.isAlive(sessionId) ? { sessionId, since: at } : [])),
    ];
    const due = wants.filter(({ sessionId, since }) => {
      const told = this.#told.get(sessionId);
      return this.#isDue(Math.max(since + place * STEP, told?.tag === state.tag ? told.at + AGAIN : 0), now);
    });
    if (due.length >= BROADCAST_FROM) await this.#tellInfo(undefined, now);
    else for (const { sessionId } of due) await this.#tellInfo(sessionId, now);
    for (const { sessionId } of due) this.#told.set(sessionId, { tag: state.tag, at: now });
    for (const sessionId of this.#told.keys()) if (!this.#people.has(sessionId)) this.#told.delete(sessionId);
  }

  /** The state that one is at, for somebody who seems to be at another. */
  async #answer(sessionId: string, now: number): Promise<void> {
    if (!this.#people.has(sessionId) || this.#people.isShunned(sessionId)) return;
    if (now - (this.#answered.get(sessionId) ?? -Infinity) < ANSWER_INTERVAL) return;
    if (this.#answered.size > 64) this.#answered.clear();
    this.#answered.set(sessionId, now);
    await this.#tellInfo(sessionId, now);
  }

  async #tellInfo(to: string | undefined, now: number): Promise<void> {
    const state = this.#state;
    if (!state) return;
    const isBehind = to !== undefined && this.#memberOf(to) !== undefined;
    const past = this.#pastWithin(isBehind ? PAST_BYTES : PAST_BYTES / 2);
    this.#send("groupInfo", state.epoch, await this.mls.info(state, past), to);
    for (const sessionId of to ? [to] : this.#waiting(state)) this.#told.set(sessionId, { tag: state.tag, at: now });
  }

  #pastWithin(bytes: number): Past[] {
    let left = bytes;
    const last = [...this.#past].reverse();
    const tooMuch = last.findIndex(({ commit }) => (left -= commit.length) < 0);
    return (tooMuch < 0 ? last : last.slice(0, tooMuch)).reverse();
  }

  // ---- small questions

  /** Not in the group, and there to be let in. */
  #waiting(state: State): string[] {
    return this.#people.all
      .map(({ sessionId }) => sessionId)
      .filter((it) => this.#people.isAlive(it) && !this.#people.isShunned(it) && !state.members.some(({ sessionId }) => sessionId === it));
  }

  /** In the order of who acts. */
  #place({ members, banned }: State): number {
    const own = this.#people.own;
    if (banned.includes(own)) return Infinity;
    const mayAct = (it: string) => this.#people.isAlive(it) && !this.#named.has(it) && !banned.includes(it);
    const before = members.findIndex(({ sessionId }) => sessionId === own);
    return members.slice(0, before).filter(({ sessionId }) => mayAct(sessionId)).length;
  }

  #memberOf(sessionId: string): Member | undefined {
    return this.#state?.members.find((it) => it.sessionId === sessionId);
  }

  #rank({ group }: { group: string }): GroupRank {
    return rankOf(bytesOf(group)) ?? { generation: 0, place: 0 };
  }

  #isBetter(one: State | Info, other: State | null): boolean {
    return compare({ ...one, rank: this.#rank(one) }, other && { ...other, rank: this.#rank(other) }) > 0;
  }

  /** If not, one is woken then. */
  #isDue(at: number, now: number): boolean {
    if (at > now) this.#wakeAt = Math.min(this.#wakeAt, at);
    return at <= now;
  }

  #send(kind: Kind, epoch: number, data: Bytes, to?: string): number {
    const id = ++this.#id;
    this.#out.push({ type: "send", id, kind, epoch, data, ...(to !== undefined && { to }) });
    return id;
  }
}
