import { describe, expect, it } from "vitest";
import { garbage, MlsDouble } from "./mls-double";
import { random, World } from "./mls-world";

const UNDECRYPTABLE_MAX = 2_000;
/** The contract's second, and the steps in which it is looked at. */
const SENT_TO_LEFT_MAX = 1_000;
const PEOPLE = 25;
/** A server or a member that never stops has its way: each time must be mended before the next. */
const SABOTAGE_INTERVAL = 3_000;
/** 10,000 by `MLS_CHANGES=10000 npx vitest run tests/e2ee-mls-simulation.test.ts`. */
const CHANGES = Number(process.env["MLS_CHANGES"] ?? 600);
const SEED = Number(process.env["MLS_SEED"] ?? 1);

const world = (seed: number) => new World(random(seed), (sessionId, userId) => new MlsDouble(sessionId, userId));

/** All who are there are in one epoch, and nobody else is in it. */
function isOne(it: World): void {
  const epochs = it.epochs();
  expect([...epochs.values()].map((sessions) => sessions.length), `epochs at ${it.now}`).toEqual([it.present.length]);
  const sessions = it.listed.map(({ sessionId }) => sessionId).sort();
  for (const person of it.present) expect(it.membersOf(person)).toEqual(sessions);
}

describe("members of a group, each by itself,", () => {
  it.each([1, 2, 3, 25])("are in one epoch when %i come at once", async (people) => {
    const it = world(people);
    for (let count = 0; count < people; count += 1) await it.join();
    await it.run(3_000);
    isOne(it);
    expect(it.worst).toBeLessThanOrEqual(UNDECRYPTABLE_MAX);
  });

  it("come to one epoch again when everybody joins another node's room at once", async () => {
    const it = world(5);
    for (let count = 0; count < PEOPLE; count += 1) await it.join();
    await it.run(3_000);
    await it.move();
    await it.run(3_000);
    isOne(it);
    expect(it.worst).toBeLessThanOrEqual(UNDECRYPTABLE_MAX);
  });

  it("go on without a group whose GroupInfo asks for what they cannot do", async () => {
    const it = new World(random(9), (sessionId, userId) => {
      const mls = new MlsDouble(sessionId, userId);
      const { propose } = mls;
      // Of one founder's groups.
      mls.propose = async (of) => {
        if ("signer" in of && of.epoch === 0) throw new Error("an extension that nobody knows");
        return propose.call(mls, of);
      };
      return mls;
    });
    for (let count = 0; count < 4; count += 1) await it.join();
    await it.run(6_000);
    isOne(it);
  });

  it(`end in one epoch after ${CHANGES} joins and leaves with loss, and none is undecryptable longer than 2 s`, { timeout: 3_600_000 }, async () => {
    const it = world(SEED);
    const { rng } = it;
    it.limit = UNDECRYPTABLE_MAX;
    it.logged = Number(process.env["MLS_LOG"] ?? 0);
    it.trouble = { loss: 0.01, duplicates: 0.02, reorder: 0.02, lostAcks: 0.01 };
    const did = new Map<string, number>();
    let [changes, voided, nobodyNamed, sabotagedAt] = [0, 0, 0, 0];
    const count = (what: string) => did.set(what, (did.get(what) ?? 0) + 1);
    while (changes < CHANGES) {
      await it.run(rng.between(50, 900));
      const present = it.present.filter(({ sessionId }) => !it.exempt.has(sessionId));
      const what = rng.next();
      const somebody = rng.pick(present);
      if (it.listed.length < 2 || !somebody || (what < 0.45 && it.listed.length < PEOPLE)) {
        await it.join();
        changes += 1;
        count("join");
      } else if (what < 0.7) {
        it.leave(somebody);
        changes += 1;
        count("leave");
      } else if (what < 0.76) {
        it.lose(somebody, rng.between(3_000, 15_000), false);
        changes += 1;
        count("killed");
      } else if (what < 0.86) {
        it.lose(somebody, rng.between(200, 10_000), true);
        count("resumed");
      } else if (what < 0.91) {
        it.leave(somebody);
        await it.join(somebody.userId);
        changes += 2;
        count("replaced");
      } else if (it.now - sabotagedAt < SABOTAGE_INTERVAL) {
        continue;
      } else if (what < 0.94) {
        sabotagedAt = it.now;
        // A member has the room take a commit that nobody can apply.
        const state = somebody.agent?.state;
        if (!state) continue;
        it.withheld = null;
        it.exempt.add(somebody.sessionId);
        const before = it.present.filter((other) => other !== somebody && other.agent?.state?.tag === state.tag);
        if (it.send(somebody.sessionId, "commit", state.epoch, garbage(state)) !== "taken") continue;
        count("garbage");
        await it.run(1_500);
        it.leave(somebody);
        changes += 1;
        it.exempt.delete(somebody.sessionId);
        const named = before.filter((other) => other.named.includes(`badCommit ${somebody.sessionId}`));
        // Who was given another group first has not seen it.
        nobodyNamed += Number(named.length === 0);
        voided += 1;
      } else {
        sabotagedAt = it.now;
        // The server keeps the next commits from half of the people, or from all.
        const from = rng.chance(0.5) ? null : new Set(present.filter(() => rng.chance(0.5)).map(({ sessionId }) => sessionId));
        it.withheld = (to) => !from || from.has(to);
        it.at(rng.between(50, 400), () => void (it.withheld = null));
        count("withheld");
      }
    }
    it.withheld = null;
    it.trouble = { loss: 0, duplicates: 0, reorder: 0, lostAcks: 0 };
    await it.run(20_000);
    const { now: virtual, worst, worstLeak } = it;
    if (process.env["MLS_CHANGES"]) console.log({ changes, voided, nobodyNamed, ...Object.fromEntries(did), worst, worstLeak, virtual, ...it.messages });
    isOne(it);
    expect(nobodyNamed, "commits that nobody can apply, and nobody named whose they were").toBeLessThanOrEqual(voided * 0.2);
    expect(it.worst, it.worstPair).toBeLessThanOrEqual(UNDECRYPTABLE_MAX);
    expect(it.worstLeak, "sent to somebody who left").toBeLessThanOrEqual(SENT_TO_LEFT_MAX);
  });
});
