/** Somebody in a simulated channel. */
import type { MlsAgent } from "../src/e2ee/mls/agent";
import type { Incoming } from "../src/e2ee/mls/exchange";
import { Inbox } from "../src/e2ee/mls/inbox";
import type { GroupInfo, GroupState, KeyPackage } from "../src/e2ee/mls/port";
import { Ring } from "./mls-ring";

export type AnyAgent = MlsAgent<GroupState, GroupInfo, KeyPackage>;

export class Person {
  agent: AnyAgent | null = null;
  ring = new Ring();
  /** Has a socket. */
  online = true;
  onlineSince: number;
  /** In the server's list. */
  isListed = true;
  reconnecting = false;
  named: string[] = [];
  missed: Incoming[] = [];
  /** For messages that keep their order. */
  lastAt = 0;
  busy: Promise<void> = Promise.resolve();
  wakes = 0;
  inbox = new Inbox<AnyAgent>();
  isBusy = false;
  /** On the step it is at, in milliseconds. */
  spent = 0;
  toldMissing = -Infinity;
  /** Of its messages to the room, when the last one arrives. */
  arrivesAt = 0;
  /** Since when it knows that somebody left. */
  knowsLeft = new Map<string, number>();

  constructor(
    readonly sessionId: string,
    readonly userId: string,
    now: number,
  ) {
    this.onlineSince = now;
  }
}
