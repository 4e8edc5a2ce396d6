/** Two to eight members join within 300 ms, over ways of up to 400 ms, some of them slower than the others speak. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { MlsDouble } from "./mls-double";
import { random, World } from "./mls-world";

/** 2,000 by `MLS_JOINS=2000 npx vitest run tests/e2ee-joins-at-one-moment-end-in-one-epoch.test.ts`. */
const SEEDS = Number(process.env["MLS_JOINS"] ?? 80);
const FROM = Number(process.env["MLS_SEED"] ?? 1);
const MEMBERS: [number, number] = [2, 8];
const JOINED_WITHIN = 300;
/** Later than this after the deadline nothing is sent any more, and for so long that is looked at, in milliseconds. */
const SETTLED_AFTER = 10_000;
const SILENCE = 3_000;
const SAMPLE = 50;

interface Load {
  /** Of a message to the room, or from it, at most, in milliseconds. */
  way: number;
  /** Of a hundred members, so many are slow. */
  slow: number;
  /** Of a slow member, at most, for each of the one to four operations of MLS that a step takes, in milliseconds. */
  operation: number;
  /** When everybody is quick again, in milliseconds. */
  until: number;
}

interface Ended {
  seed: number;
  members: number;
  /** Since the last one came, in milliseconds. */
  after: number;
  /** By the member that sent most. */
  sent: number;
  sentInSilence: number;
}

/** MLS whose every operation takes its client time. */
function paced(mls: MlsDouble, spend: () => void): MlsDouble {
  const get = (of: MlsDouble, name: string | symbol) => {
    const method: unknown = Reflect.get(of, name);
    if (typeof method !== "function" || name === "envelope") return method;
    return (...given: unknown[]): unknown => {
      spend();
      return method.apply(of, given);
    };
  };
  return new Proxy(mls, { get });
}

/** Ids of groups decide which is gone on with. */
function seedIds(seed: number): void {
  const ids = random(seed);
  vi.spyOn(crypto, "getRandomValues").mockImplementation((into) => {
    if (into instanceof Uint8Array) into.forEach((_, at) => (into[at] = ids.between(0, 255)));
    return into;
  });
}

async function joinAtOnce(seed: number, { way, slow, operation, until }: Load, within: number): Promise<Ended> {
  seedIds(seed * 31);
  const rng = random(seed * 7_919);
  const pace = random(seed * 104_729);
  const world: World = new World(rng, (sessionId, userId) => {
    const most = pace.between(1, 100) <= slow ? pace.between(20, operation) : 20;
    return paced(new MlsDouble(sessionId, userId), () => {
      const person = world.people.get(sessionId);
      if (person && operation > 0) person.spent += pace.between(2, world.now < until ? most : 8);
    });
  });
  world.way = [0, way];
  const count = rng.between(...MEMBERS);
  await world.joinWithin(JOINED_WITHIN, count);
  const came = world.now;
  const isOne = () => [...world.epochs()].every(([tag, of]) => tag !== "none" && of.length === count);
  let since: number | null = null;
  while (world.now < came + within) {
    await world.run(SAMPLE);
    since = isOne() ? (since ?? world.now) : null;
  }
  const most = Math.max(...world.sentBy.values());
  await world.run(SETTLED_AFTER);
  const before = world.messages.sent;
  await world.run(SILENCE);
  return { seed, members: count, after: since === null ? Infinity : since - came, sent: most, sentInSilence: world.messages.sent - before };
}

afterEach(() => void vi.restoreAllMocks());

describe("members who join at one moment", () => {
  const forEver = Infinity;
  /** `within`: with 2,000 seeds each, the longest was 0.95, 6.8, 4.1, 8.7 and 12.9 s. */
  it.each<[string, Load, number]>([
    ["over ways of up to 45 ms", { way: 45, slow: 0, operation: 0, until: 0 }, 2_000],
    ["over ways of up to 400 ms", { way: 400, slow: 0, operation: 0, until: 0 }, 10_000],
    ["while some are slow for the first 3 s", { way: 45, slow: 40, operation: 500, until: 3_000 }, 6_000],
    ["while some are slow for good", { way: 45, slow: 40, operation: 500, until: forEver }, 12_000],
    ["while all are slow for good", { way: 45, slow: 100, operation: 500, until: forEver }, 16_000],
  ])("end in one epoch %s", { timeout: 3_600_000 }, async (_, load, within) => {
    const ended: Ended[] = [];
    for (let seed = FROM; seed < FROM + SEEDS; seed += 1) ended.push(await joinAtOnce(seed, load, within));
    ended.sort((one, other) => other.after - one.after);
    if (process.env["MLS_JOINS"]) {
      const at = (part: number) => ended[Math.floor((1 - part) * (ended.length - 1))]?.after;
      console.log({ ...load, p50: at(0.5), p90: at(0.9), p99: at(0.99), longest: ended[0], most: Math.max(...ended.map(({ sent }) => sent)) });
    }
    expect(ended.filter(({ after }) => after === Infinity), "not in one epoch").toEqual([]);
    expect(ended.filter(({ sentInSilence }) => sentInSilence > 0), "with messages though all are in one epoch").toEqual([]);
  });
});
