/// <reference types="node" />
import { writeFileSync } from "node:fs";
import { mlsExporter } from "ts-mls/keySchedule.js";
import { describe, expect, it, vi } from "vitest";
import epochs from "../../../../shared/fixtures/e2ee/mls-epochs.json";
import messages from "../../../../shared/fixtures/e2ee/mls-messages.json";
import { toHex } from "../src/e2ee/bytes";
import { Epoch } from "../src/e2ee/epoch";
import { cipherSuite } from "../src/e2ee/mls/suite";
import type { E2eeMessage } from "../src/generated";
import { FrameCipher } from "../src/e2ee/frame-cipher";
import { KeyRing } from "../src/e2ee/key-ring";
import { encodeName } from "../src/e2ee/mls/credential";
import { epochNumber, freshGroupId, rankOf } from "../src/e2ee/mls/group-id";
import { GroupKeys, type KeyMessage } from "../src/e2ee/mls/group-keys";
import { KnownKeys, SessionIdentity, subjectOf } from "../src/e2ee/mls/identity";
import { type Identity, MlsLibrary, type State } from "../src/e2ee/mls/library";
import type { IdentityHook } from "../src/types";
import { random, readGroupsBy, World } from "./mls-world";

const CHANNEL = "club";

async function client(sessionId: string, userId = `user of ${sessionId}`, identity?: Identity): Promise<MlsLibrary> {
  const own = { channelId: CHANNEL, sessionId, userId };
  return MlsLibrary.create({ ...own, identity: identity ?? new SessionIdentity(own, await KnownKeys.load(null), null) });
}

/** Ada's group, which Ben and Cleo joined, and where each of them is. */
async function three() {
  const [ada, ben, cleo] = await Promise.all(["s1", "s2", "s3"].map((it) => client(it))) as [MlsLibrary, MlsLibrary, MlsLibrary];
  const founded = await ada.found(freshGroupId(1), []);
  const bens = await ben.joinByInfo(await ben.readInfo(await ada.info(founded, [])));
  const two = await ada.apply(founded, bens.commit, "s2");
  const given = await ada.readProposal(await cleo.propose(await cleo.readInfo(await ada.info(two, []))));
  const { commit, next, welcomes } = await ada.commit(two, { add: [given], remove: [] });
  const atBen = await ben.apply(bens.next, commit, "s1");
  const atCleo = await cleo.joinByWelcome(welcomes[0]?.welcome ?? new Uint8Array(), await cleo.readInfo(await ada.info(next, [])));
  return { ada, ben, cleo, atAda: next, atBen, atCleo, commit };
}

const secretsOf = async (...all: [MlsLibrary, State][]) => Promise.all(all.map(async ([mls, state]) => (await mls.secret(state)).join()));

describe("a group by the library", () => {
  it("has one secret for all who joined it, by a GroupInfo or by a Welcome, and members by their names", async () => {
    const { ada, ben, cleo, atAda, atBen, atCleo } = await three();
    expect(new Set(await secretsOf([ada, atAda], [ben, atBen], [cleo, atCleo])).size).toBe(1);
    for (const { members, tag, epoch } of [atAda, atBen, atCleo]) {
      expect(members.map(({ sessionId, userId }) => `${sessionId} ${userId}`)).toEqual(["s1 user of s1", "s2 user of s2", "s3 user of s3"]);
      expect([tag, epoch]).toEqual([atAda.tag, 2]);
    }
  });

  it("ends for who is removed: nothing that is sent later is opened with what it has, and nothing earlier by who comes", async () => {
    const { ada, ben, cleo, atAda, atBen, atCleo } = await three();
    const { commit, next } = await ada.commit(atAda, { add: [], remove: [2] });
    await expect(cleo.apply(atCleo, commit, "s1")).rejects.toMatchObject({ name: "Removed" });
    const bens = await ben.apply(atBen, commit, "s1");
    const dan = await client("s4");
    const joined = await dan.joinByInfo(await dan.readInfo(await ada.info(next, [])));
    const rank = rankOf(Uint8Array.from(atAda.group.match(/../g) ?? [], (it) => Number.parseInt(it, 16)));
    const cipher = async (mls: MlsLibrary, ...states: State[]) => {
      const ring = new KeyRing(CHANNEL);
      for (const state of states) {
        const number = epochNumber(rank ?? { generation: 0, place: 0 }, state.epoch);
        const senders = state.members.map(({ sessionId }) => sessionId);
        await ring.install({ number, suite: 4, secret: await mls.secret(state), removal: false, delayed: false, senders }, 0);
      }
      return new FrameCipher(ring, () => 0);
    };
    const stream = { sessionId: "s1", source: "mic", codec: "opus" } as const;
    const [before, after] = [await cipher(ada, atAda), await cipher(ada, next)];
    const [earlier, later] = [await before.seal(stream, Uint8Array.of(1, 2)), await after.seal(stream, Uint8Array.of(3, 4))];
    if (!earlier || !later) throw new Error("nothing was sealed");
    const [atCleos, atBens, atDans] = [await cipher(cleo, atCleo), await cipher(ben, atBen, bens), await cipher(dan, joined.next)];
    expect(await atCleos.open(stream, earlier)).toEqual(Uint8Array.of(1, 2));
    expect(await atCleos.open(stream, later)).toBe("noKey");
    expect(await atBens.open(stream, later)).toEqual(Uint8Array.of(3, 4));
    expect(await atDans.open(stream, earlier)).toBe("noKey");
  });

  it("opens nothing of somebody who is no member, whoever gave it the key", async () => {
    const ring = new KeyRing(CHANNEL);
    const secret = () => new Uint8Array(32).fill(7);
    const more = { number: 1, suite: 4, removal: false, delayed: false } as const;
    await ring.install({ ...more, secret: secret(), senders: ["s1", "s2"] }, 0);
    const ghosts = new KeyRing(CHANNEL);
    await ghosts.install({ ...more, secret: secret() }, 0);
    const [cipher, ghost] = [new FrameCipher(ring, () => 0), new FrameCipher(ghosts, () => 0)];
    const frame = async (sessionId: string) => {
      const stream = { sessionId, source: "mic", codec: "opus" } as const;
      const sealed = await ghost.seal(stream, Uint8Array.of(1));
      return sealed && cipher.open(stream, sealed);
    };
    expect(await frame("s2")).toEqual(Uint8Array.of(1));
    expect(await frame("s9")).toBe("noKey");
  });

  it("takes a commit of nobody in another's name, nor one that takes out somebody else from outside", async () => {
    const { ada, ben, atAda, atBen } = await three();
    const { commit } = await ada.commit(atAda, { add: [], remove: [] });
    await expect(ben.apply(atBen, commit, "s3")).rejects.toThrow("may not make");
    const garbled = Uint8Array.from(commit);
    garbled.set([(garbled.at(-1) ?? 0) ^ 1], garbled.length - 1);
    await expect(ben.apply(atBen, garbled, "s1")).rejects.toThrow();
    // Eve calls herself Cleo's session; her leaf is her own, and Cleo's is taken out by it.
    const eve = await client("s3", "user of s3");
    const joined = await eve.joinByInfo(await eve.readInfo(await ada.info(atAda, [])));
    await expect(ben.apply(atBen, joined.commit, "s9")).rejects.toThrow("may not make");
    const stranger = await client("s4");
    const outside = await stranger.joinByInfo(await stranger.readInfo(await ada.info(atAda, [])));
    await expect(ben.apply(atBen, outside.commit, "s9")).rejects.toThrow("another name");
  });

  it("applies nothing of who is banned in it", async () => {
    const [ada, ben] = [await client("s1"), await client("s2")];
    const founded = await ada.found(freshGroupId(1), ["s2"]);
    const info = await ben.readInfo(await ada.info(founded, []));
    expect(info.banned).toEqual(["s2"]);
    const { commit } = await ben.joinByInfo(info);
    await expect(ada.apply(founded, commit, "s2")).rejects.toThrow("not applied");
  });

  it("gives who is behind the commits that it missed", async () => {
    const { ada, ben, atAda, commit } = await three();
    const info = await ben.readInfo(await ada.info(atAda, [{ author: "s1", commit }]));
    expect(info.commits).toEqual([{ author: "s1", commit }]);
  });

  it("takes in no leaf whose proof is for another key, session or user", async () => {
    const { ada, atAda } = await three();
    const own = { channelId: CHANNEL, sessionId: "s4", userId: "dan" };
    const real = new SessionIdentity(own, await KnownKeys.load(null), null);
    let shown: Uint8Array | null = null;
    const thief: Identity = { credential: async (key) => (shown ??= await real.credential(key)), binds: async () => true };
    const mls = await client("s4", "dan", thief);
    const info = await mls.readInfo(await ada.info(atAda, []));
    await expect(ada.readProposal(await mls.propose(info))).resolves.toMatchObject({ sessionId: "s4" });
    await expect(ada.readProposal(await mls.propose(info)), "for the key before").rejects.toThrow("does not hold");
    const { commit } = await mls.joinByInfo(info);
    await expect(ada.apply(atAda, commit, "s4")).rejects.toThrow("credential");
    for (const leaf of [{ sessionId: "s5", userId: "dan" }, { sessionId: "s4", userId: "ben" }])
      expect(await real.binds({ ...leaf, credential: shown ?? new Uint8Array() }, new Uint8Array(32))).toBe(false);
  });
});

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** What servers and other clients have to read; written anew by `RAILGUN_UPDATE=1`. */
async function fresh() {
  const [ada, ben, cleo] = await Promise.all(["s1", "s2", "s3"].map((it) => client(it))) as [MlsLibrary, MlsLibrary, MlsLibrary];
  const founded = await ada.found(freshGroupId(1), ["s9"]);
  const info = await ada.info(founded, []);
  const { commit, next } = await ben.joinByInfo(await ben.readInfo(info));
  const proposal = await cleo.propose(next);
  const atAda = await ada.apply(founded, commit, "s2");
  const added = await ada.commit(atAda, { add: [await ada.readProposal(proposal)], remove: [] });
  const removed = await ada.commit(added.next, { add: [], remove: [1] });
  const { group } = founded;
  return [
    { kind: "groupInfo", group, epoch: 0, data: info },
    { kind: "commit", group, epoch: 0, data: commit },
    { kind: "proposal", group, epoch: 1, data: proposal },
    { kind: "commit", group, epoch: 1, data: added.commit },
    { kind: "welcome", group: null, epoch: 2, data: added.welcomes[0]?.welcome ?? new Uint8Array() },
    { kind: "commit", group, epoch: 2, data: removed.commit },
    { kind: "groupInfo", group, epoch: 3, data: await ada.info(removed.next, [{ author: "s1", commit: removed.commit }]) },
  ].map((it) => ({ ...it, data: toHex(it.data) }));
}

describe("vectors", () => {
  it("of epochs: the exporter's secret, the number and the code, as computed by another implementation", async () => {
    for (const { exporterSecret, channelId, groupId, epoch, epochSecret, number, code } of epochs) {
      const label = new TextEncoder().encode(channelId);
      const secret = await mlsExporter(bytesOf(exporterSecret), "railgun e2ee 1", label, 32, await cipherSuite());
      expect(toHex(secret)).toBe(epochSecret);
      expect(epochNumber(rankOf(bytesOf(groupId)) ?? { generation: 0, place: 0 }, epoch)).toBe(number);
      expect((await Epoch.create({ number, suite: 4, secret: bytesOf(epochSecret) }, channelId)).code).toBe(code);
    }
  });

  it("of messages: group and epoch are read, and what is signed holds", async () => {
    if (process.env["RAILGUN_UPDATE"])
      writeFileSync("../../../shared/fixtures/e2ee/mls-messages.json", `${JSON.stringify(await fresh(), null, 2)}\n`);
    const reader = await client("reader");
    expect(messages.length).toBeGreaterThan(5);
    for (const { kind, group, epoch, data } of messages) {
      const bytes = bytesOf(data);
      expect(reader.envelope(bytes)).toEqual(group === null ? null : { group, epoch });
      if (kind === "groupInfo") await expect(reader.readInfo(bytes)).resolves.toMatchObject({ group, epoch, banned: ["s9"] });
      if (kind === "proposal") await expect(reader.readProposal(bytes)).resolves.toMatchObject({ sessionId: "s3" });
    }
  });
});

describe("members by the library, each by itself,", () => {
  it("end in one epoch after people came, left, were killed, and one committed what nobody can apply", { timeout: 60_000 }, async () => {
    const reader = await client("reader");
    readGroupsBy((data) => reader.envelope(data)?.group ?? "");
    const it = new World(random(3), (sessionId, userId) => client(sessionId, userId));
    it.trouble = { loss: 0.02, duplicates: 0.02, reorder: 0.02, lostAcks: 0.02 };
    const people = [];
    for (let count = 0; count < 5; count += 1) people.push(await it.join());
    await it.run(2_500);
    const [first, second, third] = people;
    if (!first || !second || !third) throw new Error("nobody came");
    it.leave(first);
    await it.run(1_500);
    const { state } = second.agent ?? {};
    const broken = state && (await (await client(second.sessionId)).found(freshGroupId(1), []));
    if (!state || !broken) throw new Error("no group");
    // A commit of another group with this one's name on it: in place of its group and epoch.
    const wrong = (await (await client(second.sessionId)).commit(broken, { add: [], remove: [] })).commit;
    wrong.set(Uint8Array.from(state.group.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)), 5);
    new DataView(wrong.buffer).setBigUint64(21, BigInt(state.epoch));
    expect(reader.envelope(wrong)).toMatchObject({ group: state.group, epoch: state.epoch });
    expect(it.send(second.sessionId, "commit", state.epoch, wrong)).toBe("taken");
    await it.run(2_000);
    expect(third.named).toContain(`badCommit ${second.sessionId}`);
    it.lose(third, 3_000, false);
    await it.join();
    await it.run(6_000);
    it.trouble = { loss: 0, duplicates: 0, reorder: 0, lostAcks: 0 };
    await it.run(4_000);
    expect([...it.epochs().values()].map((sessions) => sessions.length)).toEqual([it.present.length]);
    expect(it.worst, it.worstPair).toBeLessThanOrEqual(2_000);
  });
});

/** Rooms of `GroupKeys`, with what the server says of who is there. */
class Room {
  people = new Map<string, { keys: GroupKeys; userId: string; epochs: { number: number; secret: string; members: string[] }[] }>();
  /** By whose list: who is not named to them. */
  hidden = new Map<string, string>();
  /** Sessions that are told with another user's id. */
  renamed = new Map<string, string>();
  #epochs = new Map<string, number>();

  join(sessionId: string, userId: string, hook: IdentityHook | null = null) {
    const epochs: { number: number; secret: string; members: string[] }[] = [];
    /** Whom the application was told of as not there by the server's word: until they are out, which is soon. */
    const shown: { sessionId: string; userId: string }[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const keys = new GroupKeys(CHANNEL, hook, {
      send: async (message) => this.#send(sessionId, userId, message),
      epoch: ({ number, secret, members }) => void epochs.push({ number, secret: secret.join(), members: members.map((it) => it.sessionId) }),
      left: () => undefined,
      reset: () => undefined,
      wake: (ms) => {
        clearTimeout(timer);
        timer = setTimeout(() => keys.woken(), ms);
      },
      changed: () => void shown.push(...keys.unlisted),
      failed: (error) => {
        throw error;
      },
    });
    this.people.set(sessionId, { keys, userId, epochs });
    keys.enter({ sessionId, userId }, this.#list(sessionId));
    this.tell();
    return { keys, epochs, shown, last: () => epochs.at(-1) };
  }

  leave(sessionId: string): void {
    this.people.get(sessionId)?.keys.close();
    this.people.delete(sessionId);
    this.tell();
  }

  tell(): void {
    for (const [sessionId, { keys }] of this.people) keys.people(this.#list(sessionId));
  }

  #list(own: string) {
    const others = [...this.people].filter(([sessionId]) => sessionId !== own && this.hidden.get(own) !== sessionId);
    return others.map(([sessionId, { userId }]) => ({
      sessionId,
      userId: this.renamed.get(sessionId) ?? userId,
      reconnecting: false,
    }));
  }

  async #send(from: string, userId: string, { kind, epoch, to, data }: E2eeMessage): Promise<void> {
    if (kind === "commit") {
      const group = data.slice(0, 28);
      const { VoiceError } = await import("../src/errors");
      if ((this.#epochs.get(group) ?? epoch) !== epoch) throw new VoiceError("INVALID_STATE", "late", { epoch });
      this.#epochs.set(group, epoch + 1);
    }
    const message: KeyMessage = { sessionId: from, userId, kind, epoch, data, roomSeq: 0 };
    for (const [sessionId, { keys }] of this.people) if (sessionId !== from && (to === undefined || to === sessionId)) keys.message(message);
  }
}

describe("keys of a group in a call", () => {
  const settled = <T>(what: () => T) => vi.waitFor(what, { timeout: 10_000, interval: 20 });

  it("are one for all, of an epoch that is later than those before", async () => {
    const room = new Room();
    const [ada, ben] = [room.join("s1", "ada"), room.join("s2", "ben")];
    await settled(() => expect(ben.last()?.members).toEqual(["s1", "s2"]));
    await settled(() => expect(ada.last()).toEqual(ben.last()));
    expect(ada.epochs.map(({ number }) => number)).toEqual([...ada.epochs.map(({ number }) => number)].sort((a, b) => a - b));
    expect([ada.keys.isOutside("s2"), ada.keys.unlisted, ada.keys.named]).toEqual([false, [], []]);
  });

  it("are others for a ghost: who has the key and is not in the list of people is shown, and put out", async () => {
    const room = new Room();
    const [ada, ben] = [room.join("s1", "ada"), room.join("s2", "ben")];
    await settled(() => expect(ben.last()?.members).toEqual(["s1", "s2"]));
    // The server names her to Ben, who lets her in, and not to Ada.
    room.hidden.set("s1", "s3");
    const eve = room.join("s3", "eve");
    await settled(() => expect(ada.last()?.members).toEqual(["s1", "s2", "s3"]));
    expect(ada.epochs.at(-1)?.secret).toBe(eve.last()?.secret);
    await settled(() => expect(ada.shown).toContainEqual({ sessionId: "s3", userId: "eve" }));
    await settled(() => expect(ada.last()?.members).toEqual(["s1", "s2"]));
    expect(eve.epochs.map(({ secret }) => secret)).not.toContain(ada.last()?.secret);
    room.leave("s3");
  });

  it("are not for a member whom the server names as another user", async () => {
    const room = new Room();
    const ada = room.join("s1", "ada");
    room.renamed.set("s2", "ben");
    room.join("s2", "eve");
    await settled(() => expect(ada.last()?.members).toEqual(["s1", "s2"]));
    await settled(() => expect(ada.shown).toContainEqual({ sessionId: "s2", userId: "eve" }));
    await settled(() => expect(ada.last()?.members).toEqual(["s1"]));
    room.leave("s2");
  });

  it("are not of who is in the list of people alone: that is said after 2 s", async () => {
    const room = new Room();
    const ada = room.join("s1", "ada");
    ada.keys.people([{ sessionId: "s9", userId: "ghost", reconnecting: false }]);
    await settled(() => expect(ada.last()?.members).toEqual(["s1"]));
    expect(ada.keys.isOutside("s9")).toBe(false);
    await settled(() => expect(ada.keys.isOutside("s9")).toBe(true));
    expect(ada.keys.trustOf("s9")).toBe(null);
  });

  it("are not for whom the application does not believe", async () => {
    const room = new Room();
    const hook = (believes: string[]): IdentityHook => ({
      credential: ({ userId }) => new TextEncoder().encode(`passport of ${userId}`),
      verify: ({ userId, credential }) => believes.includes(userId) && new TextDecoder().decode(credential ?? new Uint8Array()) === `passport of ${userId}`,
    });
    const [ada, ben] = [room.join("s1", "ada", hook(["ben"])), room.join("s2", "ben", hook(["ada"]))];
    await settled(() => expect(ada.keys.trustOf("s2")).toBe("verified"));
    room.join("s3", "eve", hook(["ada", "ben"]));
    await settled(() => expect(ada.epochs.some(({ members }) => members.includes("s3"))).toBe(true));
    await settled(() => expect(ada.last()?.members).toEqual(["s1", "s2"]));
    await settled(() => expect(ben.last()?.secret).toBe(ada.last()?.secret));
    // She is there, and founds groups of her own: nobody goes to them. A commit may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { length } = ada.epochs;
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(ada.epochs.length).toBe(length);
    room.leave("s3");
  });

  it("are not made where the browser has no Ed25519: that is said, and ends the call", async () => {
    const lacks = vi.spyOn(crypto.subtle, "generateKey").mockRejectedValue(new DOMException("none", "NotSupportedError"));
    const failed = vi.fn();
    const nothing = () => undefined;
    const handlers = { send: async () => undefined, epoch: nothing, left: nothing, reset: nothing, wake: nothing, changed: nothing };
    new GroupKeys(CHANNEL, null, { ...handlers, failed }).enter({ sessionId: "s1", userId: "ada" }, []);
    const unable = { code: "CAPABILITY_REQUIRED", details: { capability: "E2EE" }, fatal: true };
    await settled(() => expect(failed).toHaveBeenCalledWith(expect.objectContaining(unable)));
    lacks.mockRestore();
  });
});

describe("whose a key is", () => {
  function storage(content: Record<string, string> = {}) {
    return { getItem: (key: string) => content[key] ?? null, setItem: (key: string, value: string) => void (content[key] = value) };
  }

  it("is believed the first time, known later, and told when it is another", async () => {
    const kept = storage();
    const keys = await KnownKeys.load(kept);
    expect([keys.trust("ada", "k1", true), keys.trust("ada", "k1", true), keys.trust("ada", "k2", true)]).toEqual(["new", "known", "changed"]);
    const later = await KnownKeys.load(kept);
    expect(later.own).toEqual(keys.own);
    expect([later.trust("ada", "k1", true), later.trust("ada", "k2", true)]).toEqual(["known", "changed"]);
    later.believe("ada", "k2");
    expect(later.trust("ada", "k2", true)).toBe("known");
  });

  it("is remembered of the newest 500 users, and by nobody who stores nothing or garbage", async () => {
    const keys = await KnownKeys.load(storage());
    for (let user = 0; user < 600; user += 1) keys.trust(`u${user}`, "k", true);
    expect([keys.trust("u99", "k2", false), keys.trust("u100", "k2", false)]).toEqual(["new", "changed"]);
    for (const broken of [null, storage({ "railgun.identity": "{]" }), storage({ "railgun.identity": '{"own":{},"known":{}}' })])
      expect((await KnownKeys.load(broken)).trust("ada", "k", true)).toBe("new");
  });

  it("is of the user that the token names", () => {
    const token = (claims: object) => `x.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.x`;
    expect(subjectOf(token({ sub: "ada" }))).toBe("ada");
    for (const wrong of ["", "x", token({}), token({ sub: 7 })]) expect(() => subjectOf(wrong)).toThrow("who the user is");
    expect(encodeName({ sessionId: "s", userId: "u", credential: new Uint8Array() })).toHaveLength(9);
  });
});
