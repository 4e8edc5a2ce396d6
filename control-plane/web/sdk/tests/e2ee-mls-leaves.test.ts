/// <reference types="node" />
/**
 * Whose a leaf is: the credential of a leaf by the key of a profile that lasts. mls-rs plays the same file
 * (`tests/mls-peer/src/vectors.rs`). Written anew by `RAILGUN_UPDATE=1`.
 */
import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import leaves from "../../../../shared/fixtures/e2ee/mls-leaves.json";
import { type Bytes, concat, toBase64url, toHex, utf8 } from "../src/e2ee/bytes";
import { decodeName, encodeName } from "../src/e2ee/mls/credential";
import { bytesOf } from "../src/e2ee/mls/group-id";
import { KnownKeys, SessionIdentity } from "../src/e2ee/mls/identity";
import { MlsLibrary } from "../src/e2ee/mls/library";
import { isBuilt, RustProcess } from "./mls-rs-process";

const FILE = "../../../shared/fixtures/e2ee/mls-leaves.json";
/** Of an Ed25519 key in PKCS #8: what is before its 32 bytes. */
const PKCS8 = bytesOf("302e020100300506032b657004220420");
const bytes = (hex: string): Bytes => Uint8Array.from(bytesOf(hex));

/** As a profile that has this key stored. */
function profileOf({ profileSeed, profileKey }: (typeof leaves)[number]): Promise<KnownKeys> {
  const own = { signKey: toBase64url(concat(PKCS8, bytes(profileSeed))), publicKey: toBase64url(bytes(profileKey)) };
  const stored = JSON.stringify({ own, known: [] });
  return KnownKeys.load({ getItem: () => stored, setItem: () => undefined });
}

async function credentialOf(leaf: (typeof leaves)[number]): Promise<string> {
  const identity = new SessionIdentity(leaf, await profileOf(leaf), null);
  return toHex(encodeName({ ...leaf, credential: await identity.credential(bytes(leaf.leafKey)) }));
}

describe("a leaf by the key of a profile", () => {
  it("has the credential of the vector (mls-leaves.json), which is bound to its channel, session, user and key", async () => {
    if (process.env["RAILGUN_UPDATE"]) {
      const written = await Promise.all(leaves.map(async (leaf) => ({ ...leaf, credential: await credentialOf(leaf) })));
      writeFileSync(FILE, `${JSON.stringify(written, null, 2)}\n`);
    }
    expect(leaves.length).toBe(3);
    for (const leaf of leaves) {
      expect(await credentialOf(leaf)).toBe(leaf.credential);
      const name = decodeName(bytes(leaf.credential)) ?? expect.fail("no name");
      const binds = async (channelId: string, of = name, key = leaf.leafKey) =>
        new SessionIdentity({ ...leaf, channelId }, await profileOf(leaf), null).binds(of, bytes(key));
      expect(await binds(leaf.channelId)).toBe(true);
      expect(await binds("another")).toBe(false);
      expect(await binds(leaf.channelId, { ...name, sessionId: "another" })).toBe(false);
      expect(await binds(leaf.channelId, { ...name, userId: "another" })).toBe(false);
      expect(await binds(leaf.channelId, name, leaf.profileKey)).toBe(false);
    }
  });

  const peer = isBuilt ? new RustProcess() : null;
  afterAll(() => peer?.end());

  it.skipIf(!isBuilt)("of a native client (mls-rs) that comes again is known to a page, and one by another key is not", async () => {
    if (!peer) return;
    const own = { channelId: "club", sessionId: "s9", userId: "user of s9" };
    const page = new SessionIdentity(own, await KnownKeys.load(null), null);
    const mls = await MlsLibrary.create({ ...own, identity: page });
    let stays = 0;
    const trustOf = async (profile?: string) => {
      const member = `s${(stays += 1)}`;
      const there = [{ sessionId: own.sessionId, userId: own.userId }];
      const entered = { member, channelId: own.channelId, userId: "ada", people: [], now: 0, ...(profile !== undefined && { profile }) };
      await peer.ask("enter", entered);
      const { outputs } = await peer.ask<{ outputs: { kind?: string; data?: string }[] }>("people", { member, people: there, now: 1 });
      const data = outputs.find(({ kind }) => kind === "groupInfo")?.data ?? expect.fail("no GroupInfo");
      const { signer } = await mls.readInfo(Uint8Array.from(Buffer.from(data, "base64")));
      expect(signer.sessionId).toBe(member);
      return page.trust(signer);
    };
    const { profile, publicKey } = await peer.ask("profile");
    expect(Buffer.from(profile ?? "", "base64").subarray(32).toString("base64")).toBe(publicKey);
    expect(await trustOf(profile)).toBe("new");
    expect(await trustOf(profile)).toBe("known");
    expect(await trustOf()).toBe("changed");
    expect(await trustOf(profile)).toBe("known");
    await expect(trustOf(Buffer.from(utf8("no key")).toString("base64"))).rejects.toThrow();
  });
});
