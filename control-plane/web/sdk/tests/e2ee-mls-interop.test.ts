/// <reference types="node" />
/** The SDK's MLS and mls-rs (Rust) in one group; `make mls-peer` builds the latter, without it nothing is shown here. */
import { decodeMlsMessage, encodeMlsMessage } from "ts-mls/message.js";
import { afterEach, describe, expect, it } from "vitest";
import { type Bytes, concat, toHex, utf8, vec } from "../src/e2ee/bytes";
import { encodeSessions } from "../src/e2ee/mls/credential";
import { freshGroupId } from "../src/e2ee/mls/group-id";
import { KnownKeys, SessionIdentity } from "../src/e2ee/mls/identity";
import { type Info, MlsLibrary, type Package, type State } from "../src/e2ee/mls/library";
import { isBuilt, RustProcess } from "./mls-rs-process";

const CHANNEL = "club";

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const bytesOf = (text: string): Bytes => Uint8Array.from(Buffer.from(text, "base64"));

const peers: RustMember[] = [];
afterEach(() => peers.splice(0).forEach((peer) => peer.end()));

/** A member by mls-rs, as a process. */
class RustMember extends RustProcess {
  constructor() {
    super();
    peers.push(this);
  }

  /** `credential`: one of an application, which is nobody's to check but its own. */
  static async begin(sessionId: string): Promise<RustMember> {
    const member = new RustMember();
    const credential = concat(Uint8Array.of(2), utf8("by mls-rs"));
    const identity = concat(Uint8Array.of(1), vec(utf8(sessionId)), vec(utf8(`user of ${sessionId}`)), vec(credential));
    await member.ask("begin", { identity: base64(identity) });
    return member;
  }

  async bytes(what: string, key: string, given: object = {}): Promise<Bytes> {
    return bytesOf((await this.ask(what, given))[key] ?? "");
  }

  async secret(): Promise<string> {
    return toHex(await this.bytes("secret", "secret", { channel: CHANNEL }));
  }
}

async function client(sessionId: string): Promise<MlsLibrary> {
  const own = { channelId: CHANNEL, sessionId, userId: `user of ${sessionId}` };
  return MlsLibrary.create({ ...own, identity: new SessionIdentity(own, await KnownKeys.load(null), null) });
}

const secretOf = async (mls: MlsLibrary, state: State) => toHex(await mls.secret(state));

async function packageOf(rust: RustMember): Promise<Package> {
  const [decoded] = decodeMlsMessage(await rust.bytes("package", "package"), 0) ?? [];
  if (decoded?.wireformat !== "mls_key_package") throw new Error("no key package");
  const { keyPackage } = decoded;
  return { sessionId: "s2", key: toHex(keyPackage.leafNode.signaturePublicKey), keyPackage };
}

/** Of the tree that goes with a Welcome. */
function treeOf({ info }: Info): string {
  const tree = info.extensions.find(({ extensionType }) => extensionType === "ratchet_tree" || extensionType === 2);
  return base64(tree?.extensionData ?? new Uint8Array());
}

describe.skipIf(!isBuilt)("a second implementation of MLS (mls-rs)", () => {
  it("joins a group of the SDK's by an external commit, and is put out", async () => {
    const [ada, rust] = [await client("s1"), await RustMember.begin("s2")];
    const founded = await ada.found(freshGroupId(1), ["s9"]);
    const info = await ada.info(founded, []);
    const commit = await rust.bytes("joinByInfo", "commit", { info: base64(info) });
    const two = await ada.apply(founded, commit, "s2");
    expect(two.members.map(({ sessionId }) => sessionId)).toEqual(["s1", "s2"]);
    expect(await rust.secret()).toBe(await secretOf(ada, two));
    // The SDK's next commit, with a newcomer by a package and one by an external commit.
    const ben = await client("s3");
    const given = await ada.readProposal(await ben.propose(two));
    const added = await ada.commit(two, { add: [given], remove: [] });
    await rust.ask("apply", { commit: base64(added.commit) });
    expect(await rust.secret()).toBe(await secretOf(ada, added.next));
    const cleo = await client("s4");
    const joined = await cleo.joinByInfo(await cleo.readInfo(await ada.info(added.next, [])));
    await rust.ask("apply", { commit: base64(joined.commit) });
    expect(await rust.secret()).toBe(await secretOf(cleo, joined.next));
    const four = await ada.apply(added.next, joined.commit, "s4");
    const { commit: out, next } = await ada.commit(four, { add: [], remove: [1] });
    await rust.ask("apply", { commit: base64(out) }).catch(() => undefined);
    expect(await rust.secret().catch(() => "none")).not.toBe(await secretOf(ada, next));
  });

  it("is added to a group of the SDK's by a Welcome, and takes members in and out", async () => {
    const [ada, rust] = [await client("s1"), await RustMember.begin("s2")];
    const founded = await ada.found(freshGroupId(1), []);
    const given = await packageOf(rust);
    const { commit, next, welcomes } = await ada.commit(founded, { add: [given], remove: [] });
    expect(commit.length).toBeGreaterThan(0);
    const info = await ada.readInfo(await ada.info(next, []));
    await rust.ask("joinByWelcome", { welcome: base64(welcomes[0]?.welcome ?? new Uint8Array()), tree: treeOf(info) });
    expect(await rust.secret()).toBe(await secretOf(ada, next));
    // Ben joins by a GroupInfo that mls-rs signed.
    const ben = await client("s3");
    const bens = await ben.joinByInfo(await ben.readInfo(await rust.bytes("info", "info")));
    await rust.ask("apply", { commit: base64(bens.commit) });
    const atAda = await ada.apply(next, bens.commit, "s3");
    expect(new Set([await rust.secret(), await secretOf(ada, atAda), await secretOf(ben, bens.next)]).size).toBe(1);
    // And mls-rs puts Ada out.
    const removed = await rust.bytes("remove", "commit", { leaf: 0 });
    const left = await ben.apply(bens.next, removed, "s2");
    expect(left.members.map(({ sessionId }) => sessionId)).toEqual(["s2", "s3"]);
    expect(await rust.secret()).toBe(await secretOf(ben, left));
    await expect(ada.apply(atAda, removed, "s2")).rejects.toMatchObject({ name: "Removed" });
  });

  it("founds a group that the SDK joins, by an external commit and by a Welcome", async () => {
    const [rust, ada, ben] = [await RustMember.begin("s1"), await client("s2"), await client("s3")];
    const group = freshGroupId(1);
    await rust.ask("found", { group: base64(group), banned: base64(encodeSessions([])) });
    const info = await ada.readInfo(await rust.bytes("info", "info"));
    expect(info.group).toBe(toHex(group));
    const adas = await ada.joinByInfo(info);
    await rust.ask("apply", { commit: base64(adas.commit) });
    expect(await rust.secret()).toBe(await secretOf(ada, adas.next));
    const { keyPackage } = await ada.readProposal(await ben.propose(adas.next));
    const encoded = encodeMlsMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage });
    const { commit, welcome } = await rust.ask("add", { package: base64(encoded) });
    const atAda = await ada.apply(adas.next, bytesOf(commit ?? ""), "s1");
    const atBen = await ben.joinByWelcome(bytesOf(welcome ?? ""), await ben.readInfo(await rust.bytes("info", "info")));
    expect(new Set([await rust.secret(), await secretOf(ada, atAda), await secretOf(ben, atBen)]).size).toBe(1);
    const { commit: out, next } = await ada.commit(atAda, { add: [], remove: [2] });
    await rust.ask("apply", { commit: base64(out) });
    expect(await rust.secret()).toBe(await secretOf(ada, next));
  });
});
