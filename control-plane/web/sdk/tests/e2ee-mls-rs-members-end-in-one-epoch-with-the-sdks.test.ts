/// <reference types="node" />
/** Members by the SDK and by mls-rs (Rust) in one channel, in virtual time; without `make mls-peer` nothing is shown here. */
import { afterAll, describe, expect, it } from "vitest";
import type { Incoming, Outcome, Output } from "../src/e2ee/mls/exchange";
import { KnownKeys, SessionIdentity } from "../src/e2ee/mls/identity";
import { MlsLibrary } from "../src/e2ee/mls/library";
import type { Listed } from "../src/e2ee/mls/people";
import { isBuilt, RustProcess } from "./mls-rs-process";
import type { AnyAgent } from "./mls-person";
import { random, readGroupsBy, World } from "./mls-world";

const CHANNEL = "club";
const SEEDS = Number(process.env["MLS_JOINS"] ?? 10);
const JOINED_WITHIN = 300;
/** Since the last one came, in milliseconds. */
const ONE_WITHIN = 2_000;

/** As `tests/mls-peer/README.md` has it. */
type Told =
  | { type: "send"; id: number; kind: Incoming["kind"]; epoch: number; to: string | null; data: string }
  | { type: "epoch"; number: number; secret: string; members: string[]; removal: boolean; own: boolean; held: boolean }
  | { type: "left" }
  | { type: "named"; sessionId: string; fault: "badCommit" | "badProposal" };

interface Answer {
  outputs: Told[];
  wakeAt: number | null;
  generation: number;
}

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, "base64"));

function outputOf(told: Told): Output {
  if (told.type === "send") {
    const { to, data, ...rest } = told;
    return { ...rest, data: bytesOf(data), ...(to !== null && { to }) };
  }
  if (told.type !== "epoch") return told;
  const members = told.members.map((sessionId, leaf) => ({ leaf, sessionId, userId: "", key: "", credential: new Uint8Array() }));
  return { ...told, secret: bytesOf(told.secret), members };
}

/** What the world asks of an agent, by the process. */
class RustAgent {
  wakeAt = Infinity;
  generation = 0;
  readonly state = null;

  constructor(
    private readonly peer: RustProcess,
    readonly sessionId: string,
    private readonly userId: string,
    private readonly others: readonly Listed[],
  ) {}

  async #ask(what: string, now: number, given: object = {}): Promise<Output[]> {
    const { outputs, wakeAt, generation } = await this.peer.ask<Answer>(what, { member: this.sessionId, now, ...given });
    this.wakeAt = wakeAt ?? Infinity;
    this.generation = generation;
    return outputs.map(outputOf);
  }

  begin = (now: number) => this.#ask("enter", now, { channelId: CHANNEL, userId: this.userId, people: this.others });
  people = (people: readonly Listed[], now: number) => this.#ask("people", now, { people });
  message = ({ data, ...message }: Incoming, now: number) =>
    this.#ask("message", now, { ...message, data: Buffer.from(data).toString("base64") });
  sent = (id: number, outcome: Outcome, now: number) => this.#ask("sent", now, { id, outcome });
  missing = (sessionId: string, now: number) => this.#ask("missing", now, { sessionId });
  tick = (now: number) => this.#ask("tick", now);
  describe = () => ({ by: "mls-rs" });
}

async function library(sessionId: string, userId: string): Promise<MlsLibrary> {
  const own = { channelId: CHANNEL, sessionId, userId };
  return MlsLibrary.create({ ...own, identity: new SessionIdentity(own, await KnownKeys.load(null), null) });
}

/** Everybody's newest epoch, by its secret, and how many are in it by each one's word. */
const epochs = (world: World) =>
  world.present.map(({ ring }) => {
    const [newest] = ring.epochs;
    return newest ? `${newest.secret} of ${newest.sessions.size}` : "none";
  });

describe.skipIf(!isBuilt)("members by the SDK and by mls-rs", () => {
  const peer = isBuilt ? new RustProcess() : null;
  afterAll(() => peer?.end());

  it(`end in one epoch when two to eight come at one moment, in ${SEEDS} calls`, { timeout: 600_000 }, async () => {
    const reader = await library("reader", "reader");
    readGroupsBy((data) => reader.envelope(data)?.group ?? "");
    let longest = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const rng = random(seed * 7_919);
      const world = new World(rng, library);
      world.way = [0, 45];
      const count = rng.between(2, 8);
      let came = 0;
      world.otherAgent = (sessionId, userId, others) => {
        came += 1;
        // At least one of each.
        const isRust = came === 1 || (came > 2 && rng.chance(0.5));
        return isRust && peer ? (new RustAgent(peer, sessionId, userId, others) as unknown as AnyAgent) : null;
      };
      await world.joinWithin(JOINED_WITHIN, count);
      const last = world.now;
      const isOne = () => {
        const [first, ...others] = epochs(world);
        return first?.endsWith(` of ${count}`) === true && others.every((it) => it === first);
      };
      while (!isOne() && world.now < last + ONE_WITHIN) await world.run(50);
      longest = Math.max(longest, world.now - last);
      expect(isOne(), `seed ${seed}: ${epochs(world).join(", ")}`).toBe(true);
      // And stay in it.
      await world.run(3_000);
      expect(isOne(), `seed ${seed}, later: ${epochs(world).join(", ")}`).toBe(true);
      expect(world.present.flatMap(({ named }) => named)).toEqual([]);
    }
    if (process.env["MLS_JOINS"]) console.log({ SEEDS, longest });
  });
});
