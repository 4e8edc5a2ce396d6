/** What an agent is told and what it has done. */
import type { Bytes } from "../bytes";
import type { Member, Past } from "./port";

export type Kind = "proposal" | "commit" | "welcome" | "groupInfo";

/** As the server passes it on. */
export interface Incoming {
  sessionId: string;
  kind: Kind;
  epoch: number;
  data: Bytes;
}

/** What became of a message of one's own. `late`: another commit was the first of its epoch. */
export type Outcome = "taken" | "late" | "failed";

/** Why somebody is named. */
export type Fault = "badCommit" | "badProposal";

export type Output =
  | { type: "send"; id: number; kind: Kind; epoch: number; to?: string; data: Bytes }
  /**
   * `removal`: somebody who had the epoch before has not this one. `own`: the others have yet to get it. `held`: nothing
   * is sent under it yet, since it has members whom the server does not name; it is told again without when it may be.
   */
  | {
      type: "epoch";
      number: number;
      secret: Bytes;
      members: readonly Member[];
      removal: boolean;
      own: boolean;
      held: boolean;
    }
  /** A member is not there any more: the epoch ends for sending within a second. */
  | { type: "left" }
  | { type: "named"; sessionId: string; fault: Fault };

/** A commit of one's own. */
export interface Own<State> {
  id: number;
  /** The epoch that it ends. */
  base: string;
  next: State;
  welcomes: { sessionId: string; welcome: Bytes }[];
  data: Bytes;
  /** Of a newcomer: what led to the epoch that it joined. */
  past: readonly Past[];
  /** When it may have been lost. */
  lostAt: number | null;
  isResent: boolean;
}
