/** What the agent needs of MLS (RFC 9420): states that do not change, and messages as bytes. */
import type { Bytes } from "../bytes";

export interface Member {
  leaf: number;
  sessionId: string;
  userId: string;
  /** The leaf's signature key, in hexadecimal: another one for each join. */
  key: string;
  /** By which it is shown whose leaf it is. */
  credential: Uint8Array;
}

/** An epoch of a group, for somebody who is in it. */
export interface GroupState {
  /** In hexadecimal. */
  readonly group: string;
  readonly epoch: number;
  readonly members: readonly Member[];
  /** Of this very epoch: two that were forked have different ones. */
  readonly tag: string;
  /** Sessions whose commits nobody applies: who founded the group saw them break the one before. */
  readonly banned: readonly string[];
}

/** A commit that was applied, and whose it was. */
export interface Past {
  author: string;
  commit: Bytes;
}

/** A GroupInfo whose signature and tree hold. */
export interface GroupInfo {
  readonly group: string;
  readonly epoch: number;
  readonly members: readonly Member[];
  readonly tag: string;
  readonly banned: readonly string[];
  readonly signer: Member;
  /** The last that led there, for members that missed them. */
  readonly commits: readonly Past[];
}

/** What somebody hands in to be added. */
export interface KeyPackage {
  readonly sessionId: string;
  /** Of the leaf that it makes. */
  readonly key: string;
}

/** What a message says of itself, as servers read it. */
export interface Envelope {
  group: string;
  epoch: number;
}

export interface Committed<State> {
  commit: Bytes;
  next: State;
  /** For each that was added. */
  welcomes: { sessionId: string; welcome: Bytes }[];
}

/** Whatever is not as it has to be makes these fail. */
export interface Mls<State extends GroupState = GroupState, Info extends GroupInfo = GroupInfo, Package extends KeyPackage = KeyPackage> {
  found(groupId: Bytes, banned: readonly string[]): Promise<State>;
  envelope(message: Bytes): Envelope | null;
  readInfo(message: Bytes): Promise<Info>;
  info(state: State, commits: readonly Past[]): Promise<Bytes>;
  /** By an external commit, which takes the own session's former leaf out. */
  joinByInfo(info: Info): Promise<{ commit: Bytes; next: State }>;
  /** A proposal to add oneself; the secrets for the Welcome are kept. */
  propose(of: State | Info): Promise<Bytes>;
  readProposal(message: Bytes): Promise<Package>;
  /** `info`: with the tree of the Welcome's epoch. */
  joinByWelcome(welcome: Bytes, info: Info): Promise<State>;
  commit(state: State, change: { add: Package[]; remove: number[] }): Promise<Committed<State>>;
  /** `author`: by the server's word. Nobody's leaf but his own may be added by an external commit, or taken out. */
  apply(state: State, commit: Bytes, author: string): Promise<State>;
  /** 32 bytes. */
  secret(state: State): Promise<Bytes>;
}
