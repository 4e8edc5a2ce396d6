/** A channel of people with an agent each, a room that orders by the node's rules, ways that lose; in virtual time. */
import type { Bytes } from "../src/e2ee/bytes";
import { MlsAgent } from "../src/e2ee/mls/agent";
import type { Step } from "../src/e2ee/mls/inbox";
import type { Incoming, Kind, Outcome, Output } from "../src/e2ee/mls/exchange";
import type { Listed } from "../src/e2ee/mls/people";
import type { GroupInfo, GroupState, KeyPackage, Member, Mls } from "../src/e2ee/mls/port";
import { MISSING_AFTER } from "../src/e2ee/people";
import { type AnyAgent, Person } from "./mls-person";

/** mulberry32. */
export function random(seed: number) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return { next, between, chance: (p: number) => next() < p, pick: <T>(all: readonly T[]): T | undefined => all[between(0, all.length - 1)] };
}

type AnyMls = Mls<GroupState, GroupInfo, KeyPackage>;

export interface Trouble {
  loss: number;
  duplicates: number;
  /** Messages that overtake others. */
  reorder: number;
  /** Acknowledgements that are lost: nobody knows whether the message arrived. */
  lostAcks: number;
}

export const NO_TROUBLE: Trouble = { loss: 0, duplicates: 0, reorder: 0, lostAcks: 0 };

/** As `encryption.ts` has it. */
const MISSING_INTERVAL = 400;
const KEPT_MAX = 64;
const SAMPLE = 100;

export class World {
  now = 0;
  people = new Map<string, Person>();
  /** By group, the epoch that the next commit has to end: as the node's rules have it. */
  groups = new Map<string, number>();
  trouble: Trouble = NO_TROUBLE;
  /** Of a message to the room, or from it, in milliseconds: at least and at most. */
  way: readonly [number, number] = [8, 45];
  /** Whether a commit that the room has taken is told to somebody. */
  /** Nobody may be undecryptable for longer, in milliseconds. */
  limit = Infinity;
  /** Of the last messages, how many are told when it is. */
  logged = 0;
  #log: string[] = [];
  withheld: ((to: string) => boolean) | null = null;
  messages = { sent: 0, bytes: 0, refused: 0 };
  /** Messages to the room, by session. */
  sentBy = new Map<string, number>();
  worst = 0;
  worstPair = "";
  /** For how long anybody sent to somebody who left, since it was told of that, in milliseconds. */
  worstLeak = 0;
  #left = new Set<string>();
  #events: { at: number; order: number; run: () => Promise<void> | void }[] = [];
  #order = 0;
  #serial = 0;
  #bad = new Map<string, number>();
  #failing = new Map<string, number>();
  /** For some, one of another implementation. */
  otherAgent: ((sessionId: string, userId: string, others: readonly Listed[]) => AnyAgent | null) | null = null;
  /** Who is not held to anything: saboteurs. */
  exempt = new Set<string>();

  constructor(
    readonly rng: ReturnType<typeof random>,
    private readonly mls: (sessionId: string, userId: string) => Promise<AnyMls> | AnyMls,
  ) {
    this.at(0, () => this.#sample());
  }

  at(delay: number, run: () => Promise<void> | void): void {
    const event = { at: this.now + delay, order: ++this.#order, run };
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const it = this.#events[middle];
      if (it && (it.at < event.at || (it.at === event.at && it.order < event.order))) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const next = this.#events[0];
      if (!next || next.at > end) break;
      this.#events.shift();
      this.now = next.at;
      await next.run();
    }
    this.now = end;
  }

  get listed(): Person[] {
    return [...this.people.values()].filter(({ isListed }) => isListed);
  }

  get present(): Person[] {
    return this.listed.filter(({ online, reconnecting }) => online && !reconnecting);
  }

  #way(): number {
    return this.rng.between(...this.way);
  }

  async join(userId = `u${this.#serial + 1}`, generation = 0): Promise<Person> {
    // Ids of sessions are drawn at random.
    const sessionId = `s${this.rng.between(1e8, 1e9 - 1)}-${++this.#serial}`;
    const person = new Person(sessionId, userId, this.now);
    const others = this.#list(sessionId);
    this.people.set(sessionId, person);
    const mls = await this.mls(sessionId, userId);
    this.at(this.#way(), async () => {
      person.agent = this.otherAgent?.(sessionId, userId, others) ?? new MlsAgent(mls, sessionId, others, this.now, generation);
      await this.#call(person, (agent) => agent.begin(this.now));
      // What happened meanwhile.
      this.#tellPeople(person);
    });
    this.#tellAll();
    return person;
  }

  /** So many come within so many milliseconds, each at a random moment. */
  async joinWithin(within: number, count: number): Promise<void> {
    const begun = this.now;
    const starts = Array.from({ length: count }, () => this.rng.between(0, within)).sort((one, other) => one - other);
    for (const start of starts) {
      await this.run(begun + start - this.now);
      await this.join();
    }
  }

  leave(person: Person): void {
    person.isListed = person.online = false;
    this.people.delete(person.sessionId);
    this.#left.add(person.sessionId);
    this.#tellAll();
  }

  /** The socket is gone; `forMs` later it is back, with what was missed, or the session is given up. */
  lose(person: Person, forMs: number, comesBack: boolean): void {
    person.online = false;
    this.at(this.rng.between(0, 200), () => {
      if (person.online || !person.isListed) return;
      person.reconnecting = true;
      this.#tellAll();
    });
    this.at(forMs, async () => {
      if (!this.people.has(person.sessionId)) return;
      if (!comesBack) return this.leave(person);
      person.online = true;
      person.reconnecting = false;
      person.onlineSince = this.now;
      this.#tellAll();
      const missed = person.missed.splice(0);
      for (const sessionId of this.#left) if (!person.knowsLeft.has(sessionId)) person.knowsLeft.set(sessionId, this.now);
      await this.#call(person, (agent) => agent.people(this.#list(person.sessionId), this.now));
      for (const message of missed) await this.#call(person, (agent) => agent.message(message, this.now));
    });
  }

  /** The room is somewhere else: it knows nothing, and everybody comes back with another session. */
  async move(): Promise<Person[]> {
    this.groups.clear();
    const all = this.listed;
    for (const person of all) this.leave(person);
    const back: Person[] = [];
    for (const { userId, agent } of all) {
      await this.run(this.rng.between(0, 40));
      back.push(await this.join(userId, agent?.generation ?? 0));
    }
    return back;
  }

  #list(own: string): Listed[] {
    return this.listed
      .filter(({ sessionId }) => sessionId !== own)
      .map(({ sessionId, userId, reconnecting }) => ({ sessionId, userId, reconnecting }));
  }

  #tellAll(): void {
    for (const person of this.listed) if (person.agent) this.#tellPeople(person);
  }

  /** Events about who is there are neither lost nor out of order. */
  #tellPeople(person: Person): void {
    const list = this.#list(person.sessionId);
    const at = Math.max(this.now + this.#way(), person.lastAt);
    person.lastAt = at;
    const left = [...this.#left];
    this.at(at - this.now, () => {
      if (!person.online) return;
      for (const sessionId of left) if (!person.knowsLeft.has(sessionId)) person.knowsLeft.set(sessionId, this.now);
      return this.#call(person, (agent) => agent.people(list, this.now));
    });
  }

  #call(person: Person, step: Step<AnyAgent>): Promise<void> {
    person.inbox.do(step);
    return this.#work(person);
  }

  /** One step after the other: what comes while somebody is busy waits. */
  async #work(person: Person): Promise<void> {
    if (person.isBusy) return;
    for (let step = person.inbox.next(); step; step = person.inbox.next()) {
      const { agent } = person;
      if (!agent || !this.people.has(person.sessionId)) continue;
      person.spent = 0;
      person.isBusy = true;
      const outputs = await step(agent, this.now);
      if (person.spent > 0) {
        this.at(person.spent, () => {
          this.#did(person, agent, outputs);
          person.isBusy = false;
          return this.#work(person);
        });
        return;
      }
      this.#did(person, agent, outputs);
      person.isBusy = false;
    }
  }

  #did(person: Person, agent: AnyAgent, outputs: Output[]): void {
    for (const output of outputs) this.#put(person, output);
    const wake = ++person.wakes;
    if (agent.wakeAt === Infinity) return;
    this.at(Math.max(1, agent.wakeAt - this.now), () => (person.wakes === wake ? this.#wake(person) : undefined));
  }

  #wake(person: Person): Promise<void> {
    person.inbox.woken();
    return this.#work(person);
  }

  #put(person: Person, output: Output): void {
    if (output.type === "epoch") return person.ring.install(output, this.now);
    if (output.type === "left") return person.ring.left(this.now);
    if (output.type === "named") return void person.named.push(`${output.fault} ${output.sessionId}`);
    const { id, kind, epoch, to, data } = output;
    if (!person.online) return this.at(50, () => this.#answer(person, id, "failed"));
    if (kind === "proposal" && this.rng.chance(this.trouble.loss)) return;
    // One socket: what is said first arrives first.
    person.arrivesAt = Math.max(this.now + this.#way(), person.arrivesAt);
    this.at(person.arrivesAt - this.now, () => {
      if (!this.people.has(person.sessionId)) return;
      const outcome = this.send(person.sessionId, kind, epoch, data, to);
      const isLost = this.rng.chance(this.trouble.lostAcks);
      this.at(this.#way(), () => this.#answer(person, id, isLost ? "failed" : outcome));
    });
  }

  #answer(person: Person, id: number, outcome: Outcome): Promise<void> {
    return this.#call(person, (agent) => agent.sent(id, outcome, this.now));
  }

  /** The node's part: of each epoch of a group it takes the first commit. */
  send(from: string, kind: Kind, epoch: number, data: Bytes, to?: string): Outcome {
    this.messages.sent += 1;
    this.sentBy.set(from, (this.sentBy.get(from) ?? 0) + 1);
    if (this.logged > 0) this.#log = [...this.#log.slice(-2 * this.logged), `${this.now} ${from} ${kind} ${epoch} ${to ?? ""} ${new TextDecoder().decode(data).slice(0, 160)}`];
    this.messages.bytes += data.length;
    if (data.length > 16_384) throw new Error(`a ${kind} of ${data.length} bytes`);
    if (kind === "commit") {
      const group = groupOf(data);
      const expected = this.groups.get(group);
      if (expected !== undefined && expected !== epoch) {
        this.messages.refused += 1;
        return "late";
      }
      this.groups.set(group, epoch + 1);
    }
    const message: Incoming = { sessionId: from, kind, epoch, data };
    for (const person of this.listed) {
      if (person.sessionId === from || (to !== undefined && person.sessionId !== to)) continue;
      if (kind === "commit" && this.withheld?.(person.sessionId)) continue;
      this.#deliver(person, message);
    }
    return "taken";
  }

  #deliver(person: Person, message: Incoming): void {
    const { loss, duplicates, reorder } = this.trouble;
    if (!person.online) {
      person.missed = [...person.missed, message].slice(-KEPT_MAX);
      return;
    }
    if (this.rng.chance(loss)) return;
    const isLate = this.rng.chance(reorder);
    const at = isLate ? this.now + this.rng.between(50, 300) : Math.max(this.now + this.#way(), person.lastAt);
    if (!isLate) person.lastAt = at;
    const deliver = () => {
      if (!person.online) return void person.missed.push(message);
      person.inbox.message(message);
      return this.#work(person);
    };
    this.at(at - this.now, deliver);
    if (this.rng.chance(duplicates)) this.at(at - this.now + this.rng.between(1, 200), deliver);
  }

  /** Who cannot open whose frames, and for how long by now. */
  async #sample(): Promise<void> {
    const present = this.present;
    const missing = new Map(present.map((it): [Person, string[]] => [it, []]));
    for (const from of present) {
      this.#leaks(from);
      const secret = from.ring.sending(this.now);
      for (const to of present) {
        if (from === to || this.exempt.has(from.sessionId) || this.exempt.has(to.sessionId)) continue;
        const pair = `${from.sessionId} ${to.sessionId}`;
        if (secret !== null && to.ring.opens(secret, from.sessionId, this.now)) {
          this.#bad.delete(pair);
          this.#failing.delete(pair);
          continue;
        }
        const since = Math.max(this.#bad.get(pair) ?? this.now, from.onlineSince, to.onlineSince);
        this.#bad.set(pair, since);
        const lasts = this.now - since;
        if (lasts > this.limit) throw new Error(this.#describe(from, to, lasts));
        if (lasts > this.worst) {
          this.worst = lasts;
          this.worstPair = pair;
        }
        // Frames arrive that cannot be opened: the worker says so.
        if (secret === null) continue;
        const failing = this.#failing.get(pair) ?? this.now;
        this.#failing.set(pair, failing);
        if (this.now - failing >= MISSING_AFTER) missing.get(to)?.push(from.sessionId);
      }
    }
    for (const [to, sessionIds] of missing) {
      if (this.now - to.toldMissing < MISSING_INTERVAL) continue;
      if (sessionIds.length > 0) to.toldMissing = this.now;
      for (const sessionId of sessionIds) to.inbox.missing(sessionId);
      await this.#work(to);
    }
    for (const pair of this.#bad.keys()) {
      const both = pair.split(" ").every((it) => this.people.get(it)?.online);
      if (!both) {
        this.#bad.delete(pair);
        this.#failing.delete(pair);
      }
    }
    this.at(SAMPLE, () => this.#sample());
  }

  /** What is sent now is for who is there, and for who left a moment ago. */
  #leaks(from: Person): void {
    for (const sessionId of from.ring.sendingTo(this.now)?.sessions ?? []) {
      const since = from.knowsLeft.get(sessionId);
      if (since !== undefined) this.worstLeak = Math.max(this.worstLeak, this.now - since);
    }
  }

  /** Everybody's epoch, by its tag. */
  epochs(): Map<string, string[]> {
    const epochs = new Map<string, string[]>();
    for (const { sessionId, agent } of this.present) {
      const tag = agent?.state?.tag ?? "none";
      epochs.set(tag, [...(epochs.get(tag) ?? []), sessionId]);
    }
    return epochs;
  }

  #describe(from: Person, to: Person, lasts: number): string {
    const at = ({ sessionId, agent, ring }: Person) => {
      const { group, epoch, members } = agent?.state ?? { group: "none", epoch: -1, members: [] };
      return `${sessionId} in ${group.slice(0, 8)} ${epoch} of ${members.length}, sends ${ring.sending(this.now)}`;
    };
    const all = this.present.map((it) => `${at(it)}: ${agentOf(it)}`);
    return [`${this.now}: ${to.sessionId} cannot open ${from.sessionId} for ${lasts} ms`, ...all, ...this.#log.slice(-this.logged)].join("\n");
  }

  membersOf({ agent }: Person): string[] {
    return (agent?.state?.members ?? []).map(({ sessionId }: Member) => sessionId).sort();
  }
}

/** What it knows and waits for. */
const agentOf = ({ agent }: Person): string => JSON.stringify(agent?.describe());

/** Set by the test: how a commit's group is read. */
let groupOf: (data: Bytes) => string = (data) => (JSON.parse(new TextDecoder().decode(data)) as { group: string }).group;

export function readGroupsBy(read: (data: Bytes) => string): void {
  groupOf = read;
}
