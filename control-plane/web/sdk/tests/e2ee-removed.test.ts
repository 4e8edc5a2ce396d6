/** Removed is removed: with the key material of a former member's worker, and of a newcomer's, on captured frames. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { KnownKeys, SessionIdentity } from "../src/e2ee/mls/identity";
import { MlsLibrary } from "../src/e2ee/mls/library";
import { areHeard, areOne, type Captured, CHANNEL, type Client, opensWith, Server, sleep, stubTransforms } from "./e2ee-clients";

/** The contract's: until nothing is sent any more that somebody who left can open, in milliseconds. */
const REMOVED_WITHIN = 1_000;
const EVERY = 25;

let server: Server;
beforeAll(stubTransforms);
afterEach(() => server.close());

const settled = (what: () => void) => vi.waitFor(what, { timeout: 10_000, interval: 20 });

async function call(...sessions: string[]): Promise<Client[]> {
  server = new Server();
  const clients: Client[] = [];
  for (const sessionId of sessions) clients.push(await server.join(sessionId));
  await areOne(clients);
  await areHeard(clients);
  return clients;
}

/** Sound of somebody, for so long, as the node has it. */
async function captures(client: Client, ms: number): Promise<Captured[]> {
  const captured: Captured[] = [];
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const [frame] = await Promise.all([client.sends(Uint8Array.of(1, 2, 3)), sleep(EVERY)]);
    if (frame) captured.push(frame);
  }
  return captured;
}

const opened = async (by: Client, frames: readonly Captured[]) => {
  const all = await Promise.all(frames.map((frame) => opensWith(by.worker.exported, frame)));
  return all.filter((it) => it instanceof Uint8Array).length;
};

describe("removed is removed: a key that was exported from a worker", () => {
  it("of a former member opens nothing that is sent later than 1 s, and one of a newcomer nothing before", async () => {
    const [ada, ben, cleo] = (await call("s1", "s2", "s3")) as [Client, Client, Client];
    const together = await captures(ada, 300);
    expect(together.length).toBeGreaterThan(3);
    expect(await opened(cleo, together)).toBe(together.length);
    const [before] = await captures(ada, 50);
    // She goes on reading whatever the members tell each other: the node is hers.
    server.taps.add(cleo);
    server.leave(cleo);
    const leftAt = performance.now();
    const since = await captures(ada, 1_800);
    const late = since.filter(({ at }) => at - leftAt > REMOVED_WITHIN);
    expect(late.length).toBeGreaterThan(10);
    expect(await opened(cleo, late)).toBe(0);
    expect(await opened(ben, late)).toBe(late.length);
    for (const frame of late.slice(0, 5)) expect(await cleo.plays(frame.data, frame)).toBe(null);
    // Nor is anything played any more of the key that she has, whoever sends it.
    expect(before && (await ben.plays(before.data, before))).toBe(null);

    const dan = await server.join("s4");
    await areOne([ada, ben, dan]);
    await areHeard([ada, ben, dan]);
    const after = await captures(ada, 300);
    expect(await opened(dan, [...together, ...since])).toBe(0);
    expect(await opened(dan, after)).toBe(after.length);
    expect(await opened(cleo, after)).toBe(0);
  }, 20_000);

  it("opens nothing either if the server keeps commits from somebody, and does not tell the first in order who left", async () => {
    const [ada, ben, cleo] = (await call("s1", "s2", "s3")) as [Client, Client, Client];
    server.passes = ({ kind }, to) => kind !== "commit" || to !== "s2";
    // Ada, who would make the next epoch, hears nothing of it.
    server.lies = (list, to) => (to === "s1" ? [...list, { sessionId: "s3", userId: "user of s3" }] : list);
    server.leave(cleo);
    const leftAt = performance.now();
    const since = await captures(ben, 1_600);
    const late = since.filter(({ at }) => at - leftAt > REMOVED_WITHIN);
    expect(await opened(cleo, late)).toBe(0);
    expect(await opened(cleo, since)).toBeGreaterThan(0);
    expect(ada.failed).toEqual([]);
  }, 20_000);

  it("opens nothing of those who do not see its owner, though the node lets her in again by an external commit", async () => {
    const [ada, ben, cleo] = (await call("s1", "s2", "s3")) as [Client, Client, Client];
    server.leave(cleo);
    await areOne([ada, ben]);
    // The node names a ghost to Ada, who gives it what one needs to join.
    const seen = server.messages.length;
    server.lies = (list, to) => (to === "s1" ? [...list, { sessionId: "s9", userId: "ghost" }] : list);
    server.tell();
    const infos = () => server.messages.slice(seen).filter(({ kind }) => kind === "groupInfo");
    await settled(() => expect(infos()).not.toEqual([]));
    server.lies = (list) => list;
    server.tell();
    const own = { channelId: CHANNEL, sessionId: "s3", userId: "user of s3" };
    const mls = await MlsLibrary.create({ ...own, identity: new SessionIdentity(own, await KnownKeys.load(null), null) });
    const info = await mls.readInfo(Uint8Array.from(atob(infos()[0]?.data ?? ""), (it) => it.charCodeAt(0)));
    const current = ada.worker.exported.at(-1)?.number;
    const { commit, next } = await mls.joinByInfo(info);
    await server.send("s3", { kind: "commit", epoch: info.epoch, data: btoa(String.fromCharCode(...commit)) });
    await settled(() => expect(ada.worker.exported.at(-1)?.senders).toContain("s3"));
    const number = ada.worker.exported.at(-1)?.number ?? 0;
    expect(number).toBeGreaterThan(current ?? 0);
    const hers = [{ ...(ada.worker.exported.at(-1) as (typeof ada.worker.exported)[number]), secret: await mls.secret(next) }];
    const since = [...(await captures(ada, 1_500)), ...(await captures(ben, 300))];
    const secrets = await Promise.all(since.map((frame) => opensWith(hers, frame)));
    expect(since.length).toBeGreaterThan(20);
    expect(secrets.filter((it) => it instanceof Uint8Array)).toEqual([]);
    // She was put out, and they hear each other all the while.
    await settled(() => expect(ada.worker.exported.at(-1)?.senders).not.toContain("s3"));
    expect(await opened(ben, since)).toBe(since.length);
  }, 30_000);
});
