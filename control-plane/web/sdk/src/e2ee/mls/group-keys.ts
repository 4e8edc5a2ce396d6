/** Keys by MLS for one call: runs the agent with the clock and the server, and says whom to believe. */
import type { E2eeMessage, ServerEvents } from "../../generated";
import { VoiceError } from "../../errors";
import type { IdentityHook, IdentityTrust } from "../../types";
import { type Bytes } from "../bytes";
import { MlsAgent } from "./agent";
import type { Outcome, Output } from "./exchange";
import { KnownKeys, SessionIdentity } from "./identity";
import { Inbox, type Step } from "./inbox";
import { type Info, MlsLibrary, type Package, type State } from "./library";
import type { Listed } from "./people";
import type { Member } from "./port";

export { subjectOf } from "./identity";

/** Somebody who came is waited for so long before it is said that they are not in the group, in milliseconds. */
const OUTSIDE_AFTER = 2_000;

export type KeyMessage = ServerEvents["voice:e2ee:message"];
type EpochOutput = Extract<Output, { type: "epoch" }>;
type Agent = MlsAgent<State, Info, Package>;

export interface GroupHandlers {
  send(message: E2eeMessage): Promise<unknown>;
  /** Into the worker. */
  epoch(epoch: EpochOutput): void;
  left(): void;
  /** The epochs before are of another stay. */
  reset(): void;
  /** Has `woken` called after so many milliseconds. */
  wake(ms: number): void;
  changed(): void;
  failed(error: VoiceError): void;
}

export class GroupKeys {
  #agent: Agent | null = null;
  #identity: SessionIdentity | null = null;
  #busy: Promise<void> = Promise.resolve();
  #inbox = new Inbox<Agent>();
  #stay = 0;
  #generation = 0;
  #people: Listed[] = [];
  #since = new Map<string, number>();
  /** By the leaf's key; null: asked. */
  #trust = new Map<string, IdentityTrust | "refused" | null>();
  #members: readonly Member[] = [];
  #named = new Map<string, string>();

  constructor(
    private readonly channelId: string,
    private readonly hook: IdentityHook | null,
    private readonly handlers: GroupHandlers,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** A stay begins, with a session of its own. */
  enter(own: { sessionId: string; userId: string }, people: Listed[]): void {
    const stay = ++this.#stay;
    this.#generation = Math.max(this.#generation, this.#agent?.generation ?? 0);
    this.#agent = null;
    this.#inbox = new Inbox();
    this.#members = [];
    this.#named.clear();
    this.#note(people);
    this.handlers.reset();
    this.#queue(async () => {
      const keys = await KnownKeys.load();
      const identity = new SessionIdentity({ channelId: this.channelId, ...own }, keys, this.hook);
      const mls = await MlsLibrary.create({ channelId: this.channelId, ...own, identity });
      if (this.#stay !== stay) return;
      this.#identity = identity;
      this.#agent = new MlsAgent(mls, own.sessionId, this.#people, this.now(), this.#generation);
      await this.#run((agent, now) => agent.begin(now));
    });
  }

  people(people: Listed[]): void {
    this.#note(people);
    this.#do((agent, now) => agent.people(people, now));
  }

  #note(people: Listed[]): void {
    this.#people = people;
    const here = new Set(people.map(({ sessionId }) => sessionId));
    for (const sessionId of this.#since.keys()) if (!here.has(sessionId)) this.#since.delete(sessionId);
    for (const sessionId of here) if (!this.#since.has(sessionId)) this.#since.set(sessionId, this.now());
    for (const sessionId of this.#named.keys()) if (!here.has(sessionId)) this.#named.delete(sessionId);
  }

  message({ sessionId, kind, epoch, data }: KeyMessage): void {
    const bytes = bytesOf(data);
    if (bytes && this.#inbox.message({ sessionId, kind, epoch, data: bytes })) this.#next();
  }

  /** Frames of somebody cannot be opened. */
  missing(sessionId: string): void {
    if (this.#inbox.missing(sessionId)) this.#next();
  }

  woken(): void {
    if (this.#inbox.woken()) this.#next();
  }

  close(): void {
    this.#stay += 1;
    this.#agent = null;
    this.#members = [];
  }

  /** Whether somebody who is in the list of people is in the group as well, since it is time. */
  isOutside(sessionId: string): boolean {
    const isMember = this.#members.some((it) => it.sessionId === sessionId && this.#trust.get(it.key) !== "refused");
    return !isMember && this.now() - (this.#since.get(sessionId) ?? this.now()) >= OUTSIDE_AFTER;
  }

  trustOf(sessionId: string): IdentityTrust | null {
    const member = this.#members.find((it) => it.sessionId === sessionId);
    const trust = member && this.#trust.get(member.key);
    return trust === undefined || trust === "refused" ? null : trust;
  }

  /** In the group, and not in the list of people. */
  get unlisted(): { sessionId: string; userId: string }[] {
    const members = this.#agent?.unlisted(this.now()) ?? [];
    return members.map(({ sessionId, userId }) => ({ sessionId, userId }));
  }

  /** Whose commits are not applied any more. */
  get named(): string[] {
    return [...this.#named.keys()];
  }

  /** The user compared the code. */
  believe(): void {
    const changed = this.#members.filter(({ key }) => this.#trust.get(key) === "changed" || this.#trust.get(key) === "new");
    this.#identity?.believe(changed);
    for (const { key } of changed) this.#trust.set(key, "known");
  }

  #do(step: Step<Agent>): void {
    this.#inbox.do(step);
    this.#next();
  }

  /** One step more than there were. */
  #next(): void {
    const inbox = this.#inbox;
    this.#queue(async () => {
      const step = inbox.next();
      if (step && inbox === this.#inbox) await this.#run(step);
    });
  }

  #queue(what: () => Promise<void>): void {
    this.#busy = this.#busy.then(what).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof DOMException && error.name === "NotSupportedError") {
      const unable = "this browser has no Ed25519 or X25519, which keys of a group need";
      this.handlers.failed(new VoiceError("CAPABILITY_REQUIRED", unable, { capability: "E2EE" }, true, { cause: error }));
      return;
    }
    this.handlers.failed(new VoiceError("INTERNAL", `keys of the group: ${message}`, {}, true, { cause: error }));
  }

  async #run(step: Step<Agent>): Promise<void> {
    const agent = this.#agent;
    if (!agent) return;
    const outputs = await step(agent, this.now());
    if (agent !== this.#agent) return;
    for (const output of outputs) this.#put(agent, output);
    if (agent.wakeAt < Infinity) this.handlers.wake(Math.max(0, agent.wakeAt - this.now()));
    if (outputs.some(({ type }) => type !== "send")) this.handlers.changed();
  }

  #put(agent: Agent, output: Output): void {
    if (output.type === "left") return this.handlers.left();
    if (output.type === "named") return void this.#named.set(output.sessionId, output.fault);
    if (output.type === "epoch") {
      this.#members = output.members;
      this.handlers.epoch(output);
      for (const member of output.members) this.#judge(agent, member);
      const keys = new Set(output.members.map(({ key }) => key));
      for (const key of this.#trust.keys()) if (!keys.has(key)) this.#trust.delete(key);
      return;
    }
    const { id, kind, epoch, to, data } = output;
    const answered = (outcome: Outcome) => this.#do((it, now) => (it === agent ? it.sent(id, outcome, now) : Promise.resolve([])));
    this.handlers.send({ kind, epoch, ...(to !== undefined && { to }), data: base64Of(data) }).then(
      () => answered("taken"),
      (error: unknown) => answered(isLate(error) ? "late" : "failed"),
    );
  }

  #judge(agent: Agent, member: Member): void {
    if (this.#trust.has(member.key) || member.sessionId === agent.sessionId) return;
    this.#trust.set(member.key, null);
    const decided = this.#identity?.trust(member) ?? Promise.resolve(null);
    void decided.then((trust) => {
      if (!this.#trust.has(member.key)) return;
      this.#trust.set(member.key, trust ?? "refused");
      if (!trust) this.#do((it, now) => (it === agent ? it.refuse(member.key, now) : Promise.resolve([])));
      this.handlers.changed();
    });
  }
}

const isLate = (error: unknown): boolean =>
  error instanceof VoiceError && error.code === "INVALID_STATE" && typeof error.details["epoch"] === "number";

function bytesOf(text: string): Bytes | null {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

function base64Of(bytes: Bytes): string {
  const chunks: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096) chunks.push(String.fromCharCode(...bytes.subarray(at, at + 4096)));
  return btoa(chunks.join(""));
}
