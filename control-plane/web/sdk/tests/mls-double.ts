/** MLS without cryptography: whoever lacks an epoch's secret cannot go on from it, and nothing else is checked. */
import { toHex, utf8, type Bytes } from "../src/e2ee/bytes";
import type { Committed, Envelope, GroupInfo, GroupState, KeyPackage, Member, Mls, Past } from "../src/e2ee/mls/port";

interface DoubleState extends GroupState {
  secret: string;
}

interface DoubleInfo extends GroupInfo {
  secret: string;
}

interface DoublePackage extends KeyPackage {
  userId: string;
}

type Wire =
  | { is: "info"; group: string; epoch: number; members: Member[]; signer: number; secret: string; banned: string[]; past: [string, string][] }
  | { is: "proposal"; group: string; epoch: number; sessionId: string; userId: string; key: string }
  | { is: "commit"; group: string; epoch: number; from: string; to: string; leaf: number; add: Member[]; remove: number[]; garbage?: boolean }
  | { is: "welcome"; key: string; secret: string; group: string; epoch: number };

let serial = 0;
const fresh = () => `${++serial}`;
const write = (wire: Wire): Bytes => utf8(JSON.stringify(wire));
const read = (bytes: Bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Wire;

const tag = (secret: string) => `t${secret}`;

/** Accepted by the room, and by nobody else. */
export function garbage({ group, epoch }: Envelope): Bytes {
  return write({ is: "commit", group, epoch, from: "", to: "", leaf: 0, add: [], remove: [], garbage: true });
}

export class MlsDouble implements Mls<DoubleState, DoubleInfo, DoublePackage> {
  #keys: string[] = [];

  constructor(
    private readonly sessionId: string,
    private readonly userId: string,
  ) {}

  #member(leaf: number, key = fresh()): Member {
    return { leaf, sessionId: this.sessionId, userId: this.userId, key, credential: new Uint8Array() };
  }

  async found(groupId: Bytes, banned: readonly string[]): Promise<DoubleState> {
    return state(toHex(groupId), 0, [this.#member(0)], fresh(), banned);
  }

  envelope(message: Bytes): Envelope | null {
    const wire = read(message);
    return "group" in wire ? wire : null;
  }

  async readInfo(message: Bytes): Promise<DoubleInfo> {
    const wire = read(message);
    if (wire.is !== "info") throw new Error("no info");
    const signer = wire.members.find(({ leaf }) => leaf === wire.signer);
    if (!signer) throw new Error("nobody's");
    const commits = wire.past.map(([author, commit]) => ({ author, commit: utf8(commit) }));
    return { ...state(wire.group, wire.epoch, wire.members, wire.secret, wire.banned), signer, commits };
  }

  async info({ group, epoch, members, secret, banned }: DoubleState, commits: readonly Past[]): Promise<Bytes> {
    const signer = members.find(({ sessionId }) => sessionId === this.sessionId)?.leaf ?? -1;
    const past = commits.map(({ author, commit }): [string, string] => [author, new TextDecoder().decode(commit)]);
    return write({ is: "info", group, epoch, members: [...members], signer, secret, banned: [...banned], past });
  }

  async joinByInfo(info: DoubleInfo): Promise<{ commit: Bytes; next: DoubleState }> {
    const remove = info.members.filter(({ sessionId }) => sessionId === this.sessionId).map(({ leaf }) => leaf);
    const left = info.members.filter(({ leaf }) => !remove.includes(leaf));
    const own = this.#member(firstFree(left));
    const to = fresh();
    const { group, epoch, secret, banned } = info;
    const commit = write({ is: "commit", group, epoch, from: secret, to, leaf: -1, add: [own], remove });
    return { commit, next: state(group, epoch + 1, byLeaf([...left, own]), to, banned) };
  }

  async propose({ group, epoch }: DoubleState | DoubleInfo): Promise<Bytes> {
    const key = fresh();
    this.#keys = [key, ...this.#keys].slice(0, 4);
    return write({ is: "proposal", group, epoch, sessionId: this.sessionId, userId: this.userId, key });
  }

  async readProposal(message: Bytes): Promise<DoublePackage> {
    const wire = read(message);
    if (wire.is !== "proposal") throw new Error("no proposal");
    return wire;
  }

  async joinByWelcome(welcome: Bytes, info: DoubleInfo): Promise<DoubleState> {
    const wire = read(welcome);
    if (wire.is !== "welcome" || !this.#keys.includes(wire.key)) throw new Error("for somebody else");
    if (wire.group !== info.group || wire.epoch !== info.epoch || wire.secret !== info.secret) throw new Error("another epoch");
    if (!info.members.some(({ key }) => key === wire.key)) throw new Error("not in the tree");
    return state(info.group, info.epoch, [...info.members], info.secret, info.banned);
  }

  async commit(from: DoubleState, { add, remove }: { add: DoublePackage[]; remove: number[] }): Promise<Committed<DoubleState>> {
    const members = from.members.filter(({ leaf }) => !remove.includes(leaf));
    const added: Member[] = [];
    for (const { sessionId, userId, key } of add) {
      if (members.some((it) => it.sessionId === sessionId)) throw new Error("there already");
      const member = { leaf: firstFree([...members, ...added]), sessionId, userId, key, credential: new Uint8Array() };
      added.push(member);
    }
    const to = fresh();
    const { group, epoch, secret, banned } = from;
    const leaf = members.find(({ sessionId }) => sessionId === this.sessionId)?.leaf ?? -1;
    const commit = write({ is: "commit", group, epoch, from: secret, to, leaf, add: added, remove });
    const welcomes = added.map(({ sessionId, key }) => ({
      sessionId,
      welcome: write({ is: "welcome", key, secret: to, group, epoch: epoch + 1 }),
    }));
    return { commit, next: state(group, epoch + 1, byLeaf([...members, ...added]), to, banned), welcomes };
  }

  async apply(from: DoubleState, commit: Bytes, author: string): Promise<DoubleState> {
    const wire = read(commit);
    if (wire.is !== "commit" || wire.garbage || wire.from !== from.secret || wire.epoch !== from.epoch) throw new Error("not to be applied");
    if (from.banned.includes(author)) throw new Error("banned");
    const isExternal = wire.leaf < 0;
    const sender = isExternal ? wire.add[0] : from.members.find(({ leaf }) => leaf === wire.leaf);
    if (sender?.sessionId !== author) throw new Error("of somebody else");
    const removed = from.members.filter(({ leaf }) => wire.remove.includes(leaf));
    if (isExternal && removed.some(({ sessionId }) => sessionId !== author)) throw new Error("takes somebody out");
    if (removed.some(({ sessionId }) => sessionId === this.sessionId)) {
      const error = new Error("removed");
      error.name = "Removed";
      throw error;
    }
    const left = from.members.filter(({ leaf }) => !wire.remove.includes(leaf));
    return state(from.group, from.epoch + 1, byLeaf([...left, ...wire.add]), wire.to, from.banned);
  }

  async secret({ secret }: DoubleState): Promise<Bytes> {
    return utf8(secret);
  }
}

const state = (group: string, epoch: number, members: readonly Member[], secret: string, banned: readonly string[]): DoubleState => ({
  group,
  epoch,
  members,
  secret,
  banned,
  tag: tag(secret),
});

const byLeaf = (members: Member[]) => members.sort((one, other) => one.leaf - other.leaf);

function firstFree(members: readonly Member[]): number {
  const taken = new Set(members.map(({ leaf }) => leaf));
  let leaf = 0;
  while (taken.has(leaf)) leaf += 1;
  return leaf;
}
