/// <reference types="node" />
/**
 * Conformance vectors of MLS: what a member with known keys is sent, and the secret of each epoch that follows from it.
 * mls-rs plays the same file (`tests/mls-peer/src/vectors.rs`). Written anew by `RAILGUN_UPDATE=1`.
 */
import { writeFileSync } from "node:fs";
import { decodeKeyPackage, encodeKeyPackage, type KeyPackage, makeKeyPackageRef, type PrivateKeyPackage } from "ts-mls/keyPackage.js";
import { describe, expect, it, vi } from "vitest";
import member from "../../../../shared/fixtures/e2ee/mls-member.json";
import { type Bytes, concat, toHex } from "../src/e2ee/bytes";
import { bytesOf, epochNumber, freshGroupId, rankOf } from "../src/e2ee/mls/group-id";
import { KnownKeys, SessionIdentity } from "../src/e2ee/mls/identity";
import { MlsLibrary, type State } from "../src/e2ee/mls/library";
import { cipherSuite } from "../src/e2ee/mls/suite";

interface Made {
  publicPackage: KeyPackage;
  privatePackage: PrivateKeyPackage;
}

/** Key packages in place of the next ones that are made, and those that were made. */
const packages = vi.hoisted(() => ({ instead: [] as unknown[], made: [] as unknown[] }));
vi.mock("ts-mls/keyPackage.js", async (original) => {
  const real = await original<typeof import("ts-mls/keyPackage.js")>();
  const generateKeyPackageWithKey = async (...given: Parameters<typeof real.generateKeyPackageWithKey>) => {
    const made = packages.instead.shift() ?? (await real.generateKeyPackageWithKey(...given));
    packages.made.push(made);
    return made;
  };
  return { ...real, generateKeyPackageWithKey };
});

const CHANNEL = "club";
const FILE = "../../../shared/fixtures/e2ee/mls-member.json";
/** Of an Ed25519 key in PKCS #8: what is before its 32 bytes. */
const PKCS8 = bytesOf("302e020100300506032b657004220420");
const bytes = (hex: string): Bytes => Uint8Array.from(bytesOf(hex));

async function client(sessionId: string): Promise<MlsLibrary> {
  const own = { channelId: CHANNEL, sessionId, userId: `user of ${sessionId}` };
  return MlsLibrary.create({ ...own, identity: new SessionIdentity(own, await KnownKeys.load(null), null) });
}

async function epochOf(mls: MlsLibrary, state: State) {
  const number = epochNumber(rankOf(bytes(state.group)) ?? { generation: 0, place: 0 }, state.epoch);
  const members = state.members.map(({ leaf, sessionId, userId }) => ({ leaf, sessionId, userId }));
  return { epoch: state.epoch, number, secret: toHex(await mls.secret(state)), members };
}

/** Ben is added by a Welcome, Cleo comes by an external commit, Dan by a Welcome while she goes; Dan comes anew, Ada goes. */
async function fresh(): Promise<typeof member> {
  // Packages of a day that is over: no member may depend on the clock of another.
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1), toFake: ["Date"] });
  const [ada, ben, cleo, dan, again] = (await Promise.all(["s1", "s2", "s3", "s4", "s4"].map(client))) as [
    MlsLibrary, MlsLibrary, MlsLibrary, MlsLibrary, MlsLibrary,
  ]; // prettier-ignore
  const founded = await ada.found(freshGroupId(1), ["s9"]);
  const proposal = await ben.propose(await ben.readInfo(await ada.info(founded, [])));
  const given = await ada.readProposal(proposal);
  const { publicPackage, privatePackage } = (packages.made as Made[]).find((it) => toHex(it.publicPackage.leafNode.signaturePublicKey) === given.key) as Made;
  const added = await ada.commit(founded, { add: [given], remove: [] });
  const info = await ada.info(added.next, []);
  const welcome = added.welcomes[0]?.welcome ?? new Uint8Array();
  const { leafNode } = publicPackage;
  if (leafNode.credential.credentialType !== "basic") throw new Error("another credential");
  const tree = (await ben.readInfo(info)).info.extensions.find(({ extensionType }) => extensionType === "ratchet_tree" || extensionType === 2);
  if (!tree) throw new Error("no tree");
  let at = await ben.joinByWelcome(welcome, await ben.readInfo(info));
  const epochs: (typeof member)["epochs"] = [{ author: "s1", commit: "", ...(await epochOf(ben, at)) }];
  const follow = async (author: string, commit: Bytes) => {
    at = await ben.apply(at, commit, author);
    epochs.push({ author, commit: toHex(commit), ...(await epochOf(ben, at)) });
  };

  const cleos = await cleo.joinByInfo(await cleo.readInfo(info));
  await follow("s3", cleos.commit);
  const two = await ada.apply(added.next, cleos.commit, "s3");
  const dans = await ada.readProposal(await dan.propose(await dan.readInfo(await ada.info(two, []))));
  const changed = await ada.commit(two, { add: [dans], remove: [2] });
  await follow("s1", changed.commit);
  const anew = await again.joinByInfo(await again.readInfo(await ada.info(changed.next, [])));
  await follow("s4", anew.commit);
  const out = await again.commit(anew.next, { add: [], remove: [0] });
  await follow("s4", out.commit);
  vi.useRealTimers();
  return {
    channelId: CHANNEL,
    sessionId: "s2",
    keyPackage: toHex(encodeKeyPackage(publicPackage)),
    keyPackageRef: toHex(await makeKeyPackageRef(publicPackage, (await cipherSuite()).hash)),
    initKey: toHex(privatePackage.initPrivateKey),
    encryptionKey: toHex(privatePackage.hpkePrivateKey),
    signatureKey: toHex(privatePackage.signaturePrivateKey.subarray(PKCS8.length)),
    signaturePublicKey: toHex(leafNode.signaturePublicKey),
    credential: toHex(leafNode.credential.identity),
    welcome: toHex(welcome),
    groupInfo: toHex(info),
    tree: toHex(tree.extensionData),
    epochs,
  };
}

describe("a vector of MLS (mls-member.json)", () => {
  it("has a member by a Welcome, and by each commit that follows, at the epochs that it says", async () => {
    if (process.env["RAILGUN_UPDATE"]) writeFileSync(FILE, `${JSON.stringify(await fresh(), null, 2)}\n`);
    const { keyPackage, initKey, encryptionKey, signatureKey, welcome, groupInfo, epochs, sessionId } = member;
    const [publicPackage] = decodeKeyPackage(bytes(keyPackage), 0) ?? [];
    if (!publicPackage) throw new Error("no key package");
    const privatePackage = {
      initPrivateKey: bytes(initKey),
      hpkePrivateKey: bytes(encryptionKey),
      signaturePrivateKey: concat(PKCS8, bytes(signatureKey)),
    };
    packages.instead.push({ publicPackage, privatePackage } satisfies Made);
    const ben = await client(sessionId);
    const info = await ben.readInfo(bytes(groupInfo));
    await ben.propose(info);
    let state = await ben.joinByWelcome(bytes(welcome), info);
    expect(epochs.length).toBe(5);
    for (const { author, commit, ...wanted } of epochs) {
      if (commit) state = await ben.apply(state, bytes(commit), author);
      expect(await epochOf(ben, state)).toEqual(wanted);
      expect(state.banned).toEqual(["s9"]);
    }
  });
});
