/** What an agent has to say since it was last asked, and when it wants to be called again. */
import type { Bytes } from "../bytes";
import type { Fault, Kind, Output } from "./exchange";

export class Outbox {
  /** In milliseconds; Infinity: nothing is waited for. */
  wakeAt = Infinity;
  #out: Output[] = [];
  #id = 0;
  /** By session, what was said of it. */
  #named = new Map<string, Set<Fault>>();

  put(output: Output): void {
    this.#out.push(output);
  }

  /** The id by which `sent` says what became of it. */
  send(kind: Kind, epoch: number, data: Bytes, to?: string): number {
    const id = ++this.#id;
    this.#out.push({ type: "send", id, kind, epoch, data, ...(to !== undefined && { to }) });
    return id;
  }

  /** Once for each session and fault. */
  name(sessionId: string, fault: Fault): void {
    const named = this.#named.get(sessionId) ?? new Set();
    if (named.has(fault)) return;
    this.#named.set(sessionId, named.add(fault));
    this.#out.push({ type: "named", sessionId, fault });
  }

  forget(sessionId: string): void {
    this.#named.delete(sessionId);
  }

  /** If not, the agent is woken then. */
  isDue(at: number, now: number): boolean {
    if (at > now) this.wakeAt = Math.min(this.wakeAt, at);
    return at <= now;
  }

  take(): Output[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}
