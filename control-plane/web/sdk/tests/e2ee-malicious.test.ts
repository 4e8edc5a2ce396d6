/** A server, a node and members that do what they must not: each is detected and named, or has no effect. */
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { toHex } from "../src/e2ee/bytes";
import { freshGroupId } from "../src/e2ee/mls/group-id";
import { KnownKeys, SessionIdentity } from "../src/e2ee/mls/identity";
import { MlsLibrary } from "../src/e2ee/mls/library";
import { areHeard, areOne, CHANNEL, type Client, Server, sleep, stubTransforms } from "./e2ee-clients";

beforeAll(stubTransforms);

const settled = (what: () => void, timeout = 10_000) => vi.waitFor(what, { timeout, interval: 20 });
const SOUND = Uint8Array.of(0xfc, 1, 2, 3);
/** One that Opus decoders take: what a node would send in place of somebody. */
const SILENCE = Uint8Array.of(0xf8, 0xff, 0xfe);
const KEY_FRAME = Uint8Array.of(0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0, 7, 7, 7);
const VP8 = "video/VP8";

async function call(...sessions: string[]): Promise<{ server: Server; clients: Client[] }> {
  const server = new Server();
  onTestFinished(() => server.close());
  const clients: Client[] = [];
  for (const sessionId of sessions) clients.push(await server.join(sessionId));
  await areOne(clients);
  await areHeard(clients);
  return { server, clients };
}

/** Each sends and the others receive, so that who cannot be opened is noticed. */
async function talk(clients: Client[]): Promise<void> {
  for (const from of clients) {
    const frame = await from.sends(SOUND);
    if (frame) await Promise.all(clients.filter((to) => to !== from).map((to) => to.plays(frame.data, frame)));
  }
}

async function talkUntilOne(clients: Client[]): Promise<void> {
  let isOne = false;
  const one = areOne(clients).finally(() => (isOne = true));
  while (!isOne) await Promise.all([talk(clients), sleep(40)]);
  await one;
}

const bytesOf = (data: string) => Uint8Array.from(atob(data), (it) => it.charCodeAt(0));
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));

async function library(sessionId: string): Promise<MlsLibrary> {
  const own = { channelId: CHANNEL, sessionId, userId: `user of ${sessionId}` };
  return MlsLibrary.create({ ...own, identity: new SessionIdentity(own, await KnownKeys.load(null), null) });
}

describe.concurrent("a node", () => {
  it("that sends a frame again has no effect, also by another consumer", async () => {
    const { clients } = await call("s1", "s2");
    const [ada, ben] = clients as [Client, Client];
    const frame = (await ada.sends(SOUND)) ?? expect.fail("nothing was sent");
    expect(await ben.plays(frame.data, frame)).toEqual(SOUND);
    expect(await ben.plays(frame.data, frame)).toBe(null);
    ben.forgetConsumers();
    expect(await ben.plays(frame.data, frame)).toBe(null);
    await settled(() => expect(ben.refused.replayed).toBe(2));
  });

  it("that swaps camera and screen, or two senders, is named: nothing of it is shown", async () => {
    const { clients } = await call("s1", "s2", "s3");
    const [ada, ben] = clients as [Client, Client, Client];
    const camera = (await ada.sends(KEY_FRAME, "camera", VP8)) ?? expect.fail("nothing was sent");
    const screen = (await ada.sends(KEY_FRAME, "screen", VP8)) ?? expect.fail("nothing was sent");
    expect(await ben.plays(camera.data, screen, VP8)).toBe(null);
    expect(await ben.plays(screen.data, camera, VP8)).toBe(null);
    expect(await ben.plays(camera.data, { sessionId: "s3", source: "camera" }, VP8)).toBe(null);
    await settled(async () => {
      await ben.plays((await ada.sends(KEY_FRAME, "camera", VP8))?.data ?? SOUND, screen, VP8);
      expect(ben.encryption.of("s1")).toBe("keyMissing");
    });
    expect(ben.refused.forged).toBeGreaterThan(2);
  });

  it("that injects silence, a picture or bytes of its own is named: nothing is played", async () => {
    const { clients } = await call("s1", "s2");
    const [, ben] = clients as [Client, Client];
    const random = crypto.getRandomValues(new Uint8Array(80));
    const played: unknown[] = [];
    await settled(async () => {
      for (const data of [SILENCE, random]) played.push(await ben.plays(data, { sessionId: "s1", source: "mic" }));
      played.push(await ben.plays(KEY_FRAME, { sessionId: "s1", source: "camera" }, VP8));
      expect(ben.encryption.of("s1")).toBe("keyMissing");
    });
    expect(played.filter((it) => it !== null)).toEqual([]);
    expect(ben.refused.malformed).toBeGreaterThan(2);
  });
});

describe.concurrent("a replica", () => {
  it("that names a ghost is shown, and nothing in its name is played", async () => {
    const { server, clients } = await call("s1", "s2");
    const [ada] = clients as [Client, Client];
    server.lies = (list) => [...list, { sessionId: "s9", userId: "ghost" }];
    server.tell();
    await settled(() => expect(ada.encryption.of("s9")).toBe("outside"));
    expect(await ada.plays(SILENCE, { sessionId: "s9", source: "mic" })).toBe(null);
    await areOne(clients);
  });

  it("that keeps a commit from somebody is caught up with", async () => {
    const { server, clients } = await call("s1", "s2", "s3");
    const [ada, ben, cleo] = clients as [Client, Client, Client];
    let kept = 0;
    server.passes = ({ kind }, to) => kind !== "commit" || to !== "s2" || kept++ > 0;
    server.leave(cleo);
    await settled(() => expect(kept).toBe(1));
    await talkUntilOne([ada, ben]);
  });

  it("that forks the group is noticed: two sides cannot open each other, name each other, and found one group", async () => {
    const { server, clients } = await call("s1", "s2", "s3", "s4");
    const [ada, ben, cleo, dan] = clients as [Client, Client, Client, Client];
    // Each side hears of a newcomer of its own, and of no commit of the other side.
    const sides: Record<string, string> = { s1: "a", s2: "a", s5: "a", s3: "b", s4: "b", s6: "b" };
    server.sideOf = (sessionId) => sides[sessionId] ?? "";
    server.lies = (list, to) => list.filter(({ sessionId }) => !["s5", "s6"].includes(sessionId) || sides[sessionId] === sides[to]);
    const [eve, fay] = [await server.join("s5"), await server.join("s6")];
    const has = (client: Client, sessionId: string) => expect(client.worker.exported.at(-1)?.senders).toContain(sessionId);
    await settled(() => [ada, ben, eve].forEach((it) => has(it, "s5")));
    await settled(() => [cleo, dan, fay].forEach((it) => has(it, "s6")));
    expect(ada.worker.exported.at(-1)?.number).toBe(cleo.worker.exported.at(-1)?.number);
    expect(ada.code).not.toBe(cleo.code);
    await settled(async () => {
      await talk([ada, cleo]);
      expect([ada.encryption.of("s3"), cleo.encryption.of("s1")]).toEqual(["keyMissing", "keyMissing"]);
    });
    // As soon as anything passes from one side to the other.
    server.sideOf = () => "a";
    server.lies = (list) => list;
    server.tell();
    await talkUntilOne([ada, ben, cleo, dan, eve, fay]);
  });

  it("that lies about who left costs a key, and who was said to have left is let in again when he is named", async () => {
    const { server, clients } = await call("s1", "s2", "s3");
    const [ada, ben, cleo] = clients as [Client, Client, Client];
    const before = ada.code;
    server.lies = (list, to) => (to === "s2" ? list : list.filter(({ sessionId }) => sessionId !== "s2"));
    server.tell();
    await areOne([ada, cleo]);
    expect(ada.code).not.toBe(before);
    await settled(async () => {
      const frame = (await ada.sends(SOUND)) ?? expect.fail("nothing was sent");
      expect(await cleo.plays(frame.data, frame)).toEqual(SOUND);
    });
    server.lies = (list) => list;
    server.tell();
    await areOne([ada, ben, cleo]);
  });

  it("that gives a newcomer the GroupInfo of an old epoch does not bring that epoch back", async () => {
    const { server, clients } = await call("s1", "s2");
    const [ada, ben] = clients as [Client, Client];
    const old = server.messages.find(({ kind }) => kind === "groupInfo") ?? expect.fail("no GroupInfo");
    const leaver = await server.join("s3");
    await areOne([ada, ben, leaver]);
    server.leave(leaver);
    await areOne([ada, ben]);
    const { length } = ada.worker.exported;
    // From Ada, as before; what she sends now is kept back for a moment.
    let isHonest = false;
    server.passes = ({ kind }, to) => isHonest || to !== "s4" || kind !== "groupInfo";
    const dan = await server.join("s4");
    dan.encryption.message(old);
    await sleep(600);
    isHonest = true;
    await areOne([ada, ben, dan]);
    const later = ada.worker.exported.slice(length).map(({ number }) => number);
    expect(later.length).toBeGreaterThan(0);
    expect(Math.min(...later)).toBeGreaterThan(Math.max(...ada.worker.exported.slice(0, length).map(({ number }) => number)));
  });

  it("that lowers version or suite of what members tell each other has no effect", async () => {
    const [ada, ben] = [await library("s1"), await library("s2")];
    const founded = await ada.found(freshGroupId(1), []);
    const [info, proposal] = [await ada.info(founded, []), await ben.propose(founded)];
    await expect(ben.readInfo(info)).resolves.toMatchObject({ epoch: 0 });
    // Version and suite of the GroupContext; the wire's version.
    for (const [at, value] of [[5, 2], [7, 2], [7, 3], [1, 2]] as const) {
      const lowered = Uint8Array.from(info);
      lowered[at] = value;
      await expect(ben.readInfo(lowered), `${at}`).rejects.toThrow();
    }
    const { keyPackage } = await ada.readProposal(proposal);
    for (let at = 0; at < proposal.length; at += 1) {
      const other = Uint8Array.from(proposal);
      other[at] = (other[at] ?? 0) ^ 3;
      const read = await ada.readProposal(other).catch(() => null);
      // Of the envelope MLS itself protects nothing; of the package everything.
      if (read) expect(toHex(read.keyPackage.initKey)).toBe(toHex(keyPackage.initKey));
      if (read) expect(read.keyPackage.cipherSuite).toBe(keyPackage.cipherSuite);
    }
  });
});

describe.concurrent("a member", () => {
  it("who commits garbage is named, and the others go on in another group", async () => {
    const { server, clients } = await call("s1", "s2", "s3");
    const [ada, ben, cleo] = clients as [Client, Client, Client];
    const epoch = server.messages.filter(({ kind }) => kind === "commit").at(-1)?.epoch ?? 0;
    // A commit of hers for another group, with this one's name and epoch on it.
    const mls = await library("s3");
    const garbage = (await mls.commit(await mls.found(freshGroupId(1), []), { add: [], remove: [] })).commit;
    const last = bytesOf(server.messages.filter(({ kind }) => kind === "commit").at(-1)?.data ?? "");
    garbage.set(last.subarray(5, 21), 5);
    new DataView(garbage.buffer).setBigUint64(21, BigInt(epoch + 1));
    const before = ada.code;
    await server.send("s3", { kind: "commit", epoch: epoch + 1, data: base64(garbage) });
    await settled(() => expect([ada, ben].map(({ encryption }) => encryption.snapshot.faulty)).toEqual([["s3"], ["s3"]]));
    await settled(() => expect(ada.code === ben.code && ada.code !== before).toBe(true));
    await settled(async () => {
      const frame = (await ada.sends(SOUND)) ?? expect.fail("nothing was sent");
      expect(await ben.plays(frame.data, frame)).toEqual(SOUND);
    });
    expect(cleo.failed).toEqual([]);
  });

  it("who floods proposals keeps nobody from talking or from coming in", async () => {
    const { server, clients } = await call("s1", "s2");
    const [ada, ben] = clients as [Client, Client];
    const mallory = await library("s3");
    const founded = await mallory.found(freshGroupId(1), []);
    for (let count = 0; count < 60; count += 1) {
      const data = count % 2 === 0 ? await mallory.propose(founded) : crypto.getRandomValues(new Uint8Array(300));
      await server.send("s2", { kind: "proposal", epoch: 1, data: base64(data) });
    }
    const cleo = await server.join("s4");
    await areOne([ada, ben, cleo]);
    await settled(async () => {
      const frame = (await cleo.sends(SOUND)) ?? expect.fail("nothing was sent");
      expect(await ada.plays(frame.data, frame)).toEqual(SOUND);
    });
  });

  it("who withholds Welcomes keeps nobody out: they come in by external commits", async () => {
    const { server, clients } = await call("s1");
    const [ada] = clients as [Client];
    let [withheld, areAllThere] = [0, false];
    // All at once, so that they are added by one commit.
    server.passes = ({ kind }) => {
      if (kind === "welcome") withheld += 1;
      return kind !== "welcome" && (areAllThere || kind !== "groupInfo");
    };
    const [ben, cleo, dan] = await Promise.all(["s2", "s3", "s4"].map((it) => server.join(it))) as [Client, Client, Client];
    areAllThere = true;
    await areOne([ada, ben, cleo, dan]);
    expect(withheld).toBeGreaterThan(0);
  });
});
