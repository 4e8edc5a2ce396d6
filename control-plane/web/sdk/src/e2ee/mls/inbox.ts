/**
 * What waits for the agent, and what of it is next. Members say where they are again and again to somebody who seems to be
 * elsewhere: a client that takes longer to read than they take to say it must still come to the commit that leads there.
 */
import type { Incoming, Output } from "./exchange";

/** Steps that may wait. */
const WAITING_MAX = 256;

interface Told {
  message(message: Incoming, now: number): Promise<Output[]>;
  missing(sessionId: string, now: number): Promise<Output[]>;
  tick(now: number): Promise<Output[]>;
}

export type Step<Agent> = (agent: Agent, now: number) => Promise<Output[]>;

/** `message`, `missing` and `woken` say whether `next` has one step more to give. */
export class Inbox<Agent extends Told> {
  /** In the order in which they came. */
  #steps: Step<Agent>[] = [];
  /** By session, the last one: it stands for those before. */
  #infos = new Map<string, Incoming>();
  #proposals = new Map<string, Incoming>();
  #missing = new Set<string>();
  #isWoken = false;

  do(step: Step<Agent>): void {
    this.#steps.push(step);
  }

  message(message: Incoming): boolean {
    const last = message.kind === "groupInfo" ? this.#infos : message.kind === "proposal" ? this.#proposals : null;
    const isOneMore = !last?.has(message.sessionId);
    if (isOneMore && this.#steps.length + this.#infos.size + this.#proposals.size >= WAITING_MAX) return false;
    if (last) last.set(message.sessionId, message);
    else this.do((agent, now) => agent.message(message, now));
    return isOneMore;
  }

  /** Frames of a session cannot be opened. */
  missing(sessionId: string): boolean {
    const isOneMore = !this.#missing.has(sessionId);
    this.#missing.add(sessionId);
    return isOneMore;
  }

  woken(): boolean {
    const isOneMore = !this.#isWoken;
    this.#isWoken = true;
    return isOneMore;
  }

  /** Commits come before what asks for another one, and all that was said before an answer to it. */
  next(): Step<Agent> | null {
    const first = this.#steps.shift();
    if (first) return first;
    const message = taken(this.#infos) ?? taken(this.#proposals);
    if (message) return (agent, now) => agent.message(message, now);
    for (const sessionId of this.#missing) {
      this.#missing.delete(sessionId);
      return (agent, now) => agent.missing(sessionId, now);
    }
    if (!this.#isWoken) return null;
    this.#isWoken = false;
    return (agent, now) => agent.tick(now);
  }
}

/** Whichever waits longest. */
function taken(waiting: Map<string, Incoming>): Incoming | null {
  for (const [sessionId, message] of waiting) {
    waiting.delete(sessionId);
    return message;
  }
  return null;
}
