/**
 * One client's part in the group of a channel: what it does when somebody comes, leaves, says something, or says
 * nothing. No sockets, no clock: messages and the time in milliseconds come in, messages and epochs go out. Whatever
 * is called has to end before the next thing is.
 */
import { equal } from "../bytes";
import type { Incoming, Outcome, Output } from "./exchange";
import { bytesOf, rankOf } from "./group-id";
import { order, rank } from "./order";
import type { Listed } from "./people";
import type { GroupInfo, GroupState, KeyPackage, Member, Mls } from "./port";
import { Standing } from "./standing";
import { GENERATIONS_AHEAD } from "./timing";
import { Turns } from "./turns";

export class MlsAgent<State extends GroupState, Info extends GroupInfo, Package extends KeyPackage> {
  #at: Standing<State, Info, Package>;
  #turns: Turns<State, Info, Package>;

  /** `generation`: the highest that was known before this stay. */
  constructor(mls: Mls<State, Info, Package>, own: string, people: readonly Listed[], now: number, generation = 0) {
    this.#at = new Standing(mls, own, people, now, generation);
    this.#turns = new Turns(this.#at);
  }

  get sessionId(): string {
    return this.#at.people.own;
  }

  /** For whoever looks for a fault. */
  describe(): Record<string, unknown> {
    return {
      own: this.#at.own && { id: this.#at.own.id, lostAt: this.#at.own.lostAt },
      known: this.#at.entrance.known,
      proposedAt: this.#at.entrance.proposedAt,
      behindAt: this.#at.behindAt,
      stuckAt: this.#at.stuckAt,
      isHeld: this.#at.isHeld,
      banned: this.#at.state?.banned,
      named: [...this.#at.named],
      lost: this.#at.newcomers.lost(-Infinity),
      packages: this.#at.newcomers.waiting,
      wakeAt: this.wakeAt,
    };
  }

  get generation(): number {
    return this.#at.generation;
  }

  get state(): State | null {
    return this.#at.state;
  }

  /** Members that are not, or not as such, in the channel by the server's word. */
  unlisted(now: number): Member[] {
    return (this.#at.state?.members ?? []).filter((it) => this.#at.people.unwantedAt(it, now) <= now);
  }

  /** When `tick` is to be called, unless something else comes before. */
  get wakeAt(): number {
    return this.#at.out.wakeAt;
  }

  async begin(now: number): Promise<Output[]> {
    return this.#after(now);
  }

  tick(now: number): Promise<Output[]> {
    return this.#after(now);
  }

  /** Who else is there. */
  async people(people: readonly Listed[], now: number): Promise<Output[]> {
    for (const sessionId of this.#at.people.set(people, now)) this.#at.left(sessionId);
    return this.#after(now);
  }

  /** A leaf whose credential is not believed. */
  async refuse(key: string, now: number): Promise<Output[]> {
    const member = this.#at.state?.members.find((it) => it.key === key);
    if (member) this.#at.people.refuse(member, now);
    return this.#after(now);
  }

  /** Somebody's frames cannot be opened. */
  async missing(sessionId: string, now: number): Promise<Output[]> {
    if (this.#at.memberOf(sessionId)) await this.#at.answer(sessionId, now);
    return this.#after(now);
  }

  async sent(id: number, outcome: Outcome, now: number): Promise<Output[]> {
    const own = this.#at.own;
    if (own?.id !== id) return this.#after(now);
    if (outcome === "failed") {
      // Whether it arrived is unknown: it is sent again.
      own.lostAt = now;
    } else {
      this.#at.own = null;
      const isBehind = this.#at.state ? own.base === this.#at.state.tag : true;
      // Sent again because nobody answered: what was taken is the first one, or another's would have come since.
      const isTaken = outcome === "taken" || own.isResent;
      if (isTaken && isBehind) await this.#at.adoptOwn(own, now);
      // The one that was the first is on its way, or was lost.
      else if (outcome === "late") this.#isLate(now);
    }
    return this.#after(now);
  }

  #isLate(now: number): void {
    this.#at.behindAt ??= now;
    if (this.#at.entrance.known) this.#at.entrance.known.isSpent = true;
  }

  async message(message: Incoming, now: number): Promise<Output[]> {
    if (message.sessionId === this.#at.people.own) return this.#after(now);
    try {
      if (message.kind === "groupInfo") await this.#onInfo(message, now);
      else if (message.kind === "proposal") await this.#onProposal(message, now);
      else if (message.kind === "welcome") this.#at.entrance.keepWelcome(message);
      else await this.#onCommit(message, now);
    } catch {
      // It is no such message: nothing follows from it but whose it was.
      if (message.kind !== "welcome") this.#at.name(message.sessionId, "badProposal");
    }
    return this.#after(now);
  }

  async #after(now: number): Promise<Output[]> {
    this.#at.out.wakeAt = Infinity;
    await this.#tryWelcomes(now);
    await this.#followEarly(now);
    await this.#turns.act(now);
    return this.#at.out.take();
  }

  /** Commits that came before their time. */
  async #followEarly(now: number): Promise<void> {
    for (let state = this.#at.state; state; state = this.#at.state) {
      const early = this.#at.log.takeEarly(state.epoch);
      if (!early) return;
      await this.#onCommit(early, now);
    }
  }

  async #onCommit(message: Incoming, now: number): Promise<void> {
    const envelope = this.#at.mls.envelope(message.data);
    const state = this.#at.state;
    if (envelope) this.#at.entrance.ended(envelope.group, envelope.epoch);
    const own = this.#at.own;
    // Another one was the first of that epoch.
    if (envelope && own && envelope.group === own.next.group && envelope.epoch === own.next.epoch - 1) this.#at.own = this.#at.made = null;
    if (!envelope || !state || envelope.group !== state.group || envelope.epoch < state.epoch) return;
    const made = this.#at.made;
    if (made && made.base === state.tag && envelope.epoch === made.next.epoch && envelope.group === made.next.group) {
      // If it follows one's own, that was taken, though nobody said so.
      const follows = await this.#at.mls.apply(made.next, message.data, message.sessionId).catch(() => null);
      if (follows) await this.#at.adoptOwn(made, now);
      if (follows) return this.#onCommit(message, now);
    }
    if (envelope.epoch > state.epoch) {
      this.#at.log.keepEarly(envelope.epoch, message);
      this.#at.behindAt ??= now;
      return;
    }
    this.#at.own = null;
    try {
      const next = await this.#at.mls.apply(state, message.data, message.sessionId);
      await this.#at.adopt(next, now, [{ author: message.sessionId, commit: message.data }]);
    } catch (error) {
      if (error instanceof Error && error.name === "Removed") return this.#removed(now);
      // The server takes no other commit of this epoch: the group is over.
      this.#at.name(message.sessionId, "badCommit");
      this.#at.stuckAt ??= now;
    }
  }

  /** Taken out by the others; who is still there comes back. */
  #removed(now: number): void {
    this.#at.state = null;
    this.#at.own = this.#at.behindAt = this.#at.stuckAt = null;
    this.#at.enteredAt = now;
  }

  async #onProposal({ sessionId, data }: Incoming, now: number): Promise<void> {
    const given = await this.#at.mls.readProposal(data);
    if (given.sessionId !== sessionId) throw new Error("a package of somebody else");
    const member = this.#at.memberOf(sessionId);
    // A second copy of the one that it is in by.
    if (member?.key === given.key) return;
    if (member) {
      this.#at.newcomers.isLost(member, now);
      // Unless its commits are not applied: then it is taken out and in again.
      if (!this.#at.state?.banned.includes(sessionId)) return;
    }
    this.#at.newcomers.keep(given, now);
  }

  async #onInfo({ sessionId, data }: Incoming, now: number): Promise<void> {
    const envelope = this.#at.mls.envelope(data);
    const place = envelope && rankOf(bytesOf(envelope.group));
    if (!envelope || !place) throw new Error("no GroupInfo of ours");
    // Who was put out founds groups: whoever went there would put them out again, with an epoch for everybody each time.
    if (this.#at.people.isShunned(sessionId)) return;
    const state = this.#at.state;
    const ahead = order(envelope, state);
    if (state && ahead !== 0 && state.group !== envelope.group && rank(state).place === place.place) {
      // The numbers of their epochs are the same, so that neither is gone on with.
      this.#at.stuckAt ??= now;
      return;
    }
    if (state && ahead < 0) return this.#at.answer(sessionId, now);
    if (state && place.generation > this.#at.generation + GENERATIONS_AHEAD) throw new Error("too far ahead");
    const known = this.#at.entrance.known && order(envelope, this.#at.entrance.known.info);
    if (ahead !== 0 && known !== null && known <= 0 && !(this.#at.entrance.isAwaited && known === 0)) return;
    const info = await this.#at.mls.readInfo(data);
    if (info.signer.sessionId !== sessionId) throw new Error("signed by somebody else");
    if (state && ahead === 0) {
      // Two epochs of one number: the server showed different commits to different members.
      if (state.tag !== info.tag) this.#at.stuckAt ??= now;
      return;
    }
    this.#at.generation = Math.max(this.#at.generation, place.generation);
    this.#at.entrance.keep(info, now);
    if (!state || info.group !== state.group) return;
    this.#at.behindAt ??= now;
    await this.#follow(state, info, now);
  }

  /** By the commits that one missed, if they lead to the very epoch of the GroupInfo. */
  async #follow(state: State, { epoch, tag, commits }: Info, now: number): Promise<void> {
    const missed = commits.slice(Math.min(0, state.epoch - epoch));
    if (missed.length < epoch - state.epoch) return;
    let next = state;
    for (const { author, commit } of missed) {
      const made = this.#at.made;
      const isOwn = made !== null && made.base === next.tag && author === this.#at.people.own && equal(made.data, commit);
      const followed = isOwn ? made.next : await this.#at.mls.apply(next, commit, author).catch(() => null);
      if (!followed) return;
      next = followed;
    }
    if (next.tag === tag) await this.#at.adopt(next, now, missed);
  }

  async #tryWelcomes(now: number): Promise<void> {
    // A commit of one's own may have been taken, and leads further.
    if (this.#at.own) return;
    for (const { welcome, info } of this.#at.entrance.welcomes(this.#at.state)) {
      const joined = await this.#at.mls.joinByWelcome(welcome.data, info).catch(() => null);
      if (joined) return this.#at.adopt(joined, now, info.commits);
    }
  }
}
