/** What a client does of its own accord: one thing at a time, when it is its turn in the order of members. */
import { freshGroupId, LAST_EPOCH, LAST_GENERATION } from "./group-id";
import { waitingFor } from "./order";
import type { GroupInfo, GroupState, KeyPackage, Member } from "./port";
import type { Standing } from "./standing";
import { AGAIN, BANNED_MAX, BEHIND_MAX, BROADCAST_FROM, COLLECT, FOUND_AFTER, LATE, STEP, WELCOME_WAIT } from "./timing";

export class Turns<State extends GroupState, Info extends GroupInfo, Package extends KeyPackage> {
  /** Leaves, by their keys, that have to go. */
  #leavers = new Set<string>();

  constructor(private readonly at: Standing<State, Info, Package>) {}

  async act(now: number): Promise<void> {
    const state = this.at.state;
    if (state) this.#tellLeft(state, now);
    if (state) await this.at.release(state, now);
    if (this.at.own) return this.#resend(now);
    if (await this.#move(now)) return;
    if (!state) return this.#enter(now);
    if (this.at.stuckAt !== null) return this.#refound(this.at.stuckAt, now);
    if (state.epoch >= LAST_EPOCH) return this.#refound(this.at.epochAt, now);
    if (this.at.behindAt !== null) return this.#catchUp(state, this.at.behindAt, now);
    if (!(await this.#change(state, now))) await this.#letIn(state, now);
  }

  #tellLeft(state: State, now: number): void {
    const unwanted = state.members.filter((it) => this.at.out.isDue(this.at.people.unwantedAt(it, now), now)).map(({ key }) => key);
    if (unwanted.some((key) => !this.#leavers.has(key))) this.at.out.put({ type: "left" });
    this.#leavers = new Set(unwanted);
  }

  /** Nothing else is done while a commit is on its way. */
  async #resend(now: number): Promise<void> {
    const own = this.at.own;
    if (own?.lostAt == null || !this.at.out.isDue(own.lostAt + LATE, now)) return;
    own.lostAt = null;
    own.isResent = true;
    own.id = this.at.out.send("commit", own.next.epoch - 1, own.data);
  }

  /** Into a better group, or a later epoch of one's own. Whether that is what is done. */
  async #move(now: number): Promise<boolean> {
    const { known } = this.at.entrance;
    const next = this.at.entrance.next(this.at.state, this.at.people, this.at.behindAt, now);
    if (!known || !next) return false;
    const { info } = known;
    if (next.what === "propose") return this.#propose(info, now);
    if (!this.at.out.isDue(next.at, now)) return true;
    if (known.isSpent || info.banned.includes(this.at.people.own)) {
      // The next GroupInfo is waited for, and asked for.
      if (this.at.out.isDue(Math.max(this.at.entrance.proposedAt, known.at) + AGAIN, now)) await this.#propose(info, now);
      return true;
    }
    known.isSpent = true;
    const joined = await this.at.mls.joinByInfo(info).catch(() => null);
    if (!joined) {
      this.at.name(info.signer.sessionId, "badProposal");
      this.at.entrance.known = null;
      return false;
    }
    this.at.commit(joined.commit, joined.next, [], info.commits);
    return true;
  }

  async #propose(of: State | Info, now: number): Promise<boolean> {
    this.at.entrance.proposed(now);
    // A GroupInfo may ask for what this client cannot do.
    const proposal = await this.at.mls.propose(of).catch(() => null);
    if (!proposal) {
      if (this.at.entrance.known?.info === of) this.at.entrance.known = null;
      return false;
    }
    this.at.out.send("proposal", of.epoch, proposal);
    this.at.out.isDue(now + WELCOME_WAIT, now);
    return true;
  }

  /** Without a group, and nobody who says of one. */
  async #enter(now: number): Promise<void> {
    const others = this.at.people.all.map(({ sessionId }) => sessionId).filter((it) => this.at.people.isAlive(it));
    const place = others.filter((it) => it < this.at.people.own).length;
    const due = others.length === 0 ? now : this.at.enteredAt + FOUND_AFTER + place * STEP;
    if (this.at.out.isDue(due, now)) await this.#found(now);
  }

  async #found(now: number): Promise<void> {
    if (this.at.generation >= LAST_GENERATION) return;
    const banned = [...new Set([...this.at.named, ...(this.at.state?.banned ?? [])])].filter((it) => this.at.people.has(it) && it !== this.at.people.own);
    const state = await this.at.mls.found(freshGroupId(this.at.generation + 1), banned.slice(0, BANNED_MAX));
    await this.at.adopt(state, now, [], true);
    if (this.at.people.all.length > 0) await this.at.tellInfo(undefined, now);
    await this.act(now);
  }

  /** The group cannot go on: the first in order founds another. */
  async #refound(since: number, now: number): Promise<void> {
    if (this.at.out.isDue(since + this.at.place * STEP, now)) await this.#found(now);
  }

  /** There are later epochs, and what leads there did not come. */
  async #catchUp(state: State, since: number, now: number): Promise<void> {
    if (this.at.out.isDue(since + BEHIND_MAX, now)) this.at.stuckAt = since + BEHIND_MAX;
    if (this.at.stuckAt !== null) return this.#refound(this.at.stuckAt, now);
    const due = Math.max(since + LATE, this.at.entrance.proposedAt + AGAIN);
    if (this.at.out.isDue(due, now)) await this.#propose(state, now);
  }

  /** By one commit: everybody out who is not there, and everybody in who handed in a package. */
  async #change(state: State, now: number): Promise<boolean> {
    const place = this.at.place;
    const turn = (since: number) => Math.max(since, this.at.epochAt) + place * STEP;
    const isLost = ({ sessionId }: Member) => state.banned.includes(sessionId) && this.at.newcomers.packageOf(sessionId) !== undefined;
    const lost = state.members.filter((it) => isLost(it) && this.at.people.isAlive(it.sessionId));
    const gone = state.members.filter((it) => this.at.out.isDue(turn(this.at.people.unwantedAt(it, now)), now));
    const waiting = [...waitingFor(state, this.at.people), ...lost.map(({ sessionId }) => sessionId)];
    const packages = waiting.flatMap((sessionId) => this.at.newcomers.packageOf(sessionId) ?? []);
    const first = Math.min(...packages.map(({ at }) => at));
    const isWhole = packages.length === waiting.length;
    const add = packages.length > 0 && this.at.out.isDue(isWhole ? turn(first) : Math.max(turn(first), first + COLLECT), now) ? packages : [];
    if (gone.length + add.length === 0) return false;
    const back = lost.filter((it) => add.length > 0 && !gone.includes(it));
    const remove = [...gone, ...back];
    const change = { add: add.map(({ given }) => given), remove: remove.map(({ leaf }) => leaf) };
    const made = await this.at.mls.commit(state, change).catch(() => null);
    if (!made) {
      // A package does not fit the tree.
      for (const { given } of add) this.at.newcomers.drop(given);
      return false;
    }
    this.at.commit(made.commit, made.next, made.welcomes);
    return true;
  }

  /** GroupInfos for those who are not in, and members that cannot go on. */
  async #letIn(state: State, now: number): Promise<void> {
    const place = this.at.place;
    const since = (it: string) => Math.max(this.at.people.since(it), this.at.epochAt);
    const wants = [
      ...waitingFor(state, this.at.people).filter((it) => !this.at.newcomers.packageOf(it)).map((it): [string, number] => [it, since(it)]),
      ...this.at.newcomers.lost(now).filter(([it]) => this.at.people.isAlive(it)),
    ];
    const isDue = ([it, from]: [string, number]) =>
      this.at.out.isDue(Math.max(from + place * STEP, this.at.newcomers.tellAt(it, state.tag)), now);
    const due = wants.filter(isDue).map(([it]) => it);
    if (due.length >= BROADCAST_FROM) await this.at.tellInfo(undefined, now);
    else for (const sessionId of due) await this.at.tellInfo(sessionId, now);
    this.at.newcomers.tell(due, state.tag, now);
  }
}
