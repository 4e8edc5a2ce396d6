/** One scenario: a server, a browser, the people; and on failure everything they said. */
import { test } from "node:test";
import { CAST, Person } from "./person.mjs";
import { standalone } from "./server.mjs";
import { within } from "./wait.mjs";

const SCENARIO_MS = 120_000;
const CLEANUP_MS = 15_000;

/** Times that a scenario is played until it passes. `TRIES=1`: to find out which are unsteady. */
const TRIES = Number(process.env.TRIES ?? 2);

/**
 * A test with a fresh server and browser; `run` gets the call. `browser`: options of `launchBrowser`;
 * `skip`: why it cannot be played here, or false. `ms`: how long it may take.
 *
 * What fails is played once more, and said to be unsteady if it passes then: encoders, estimates and losses of real browsers are
 * chance, and so is what else a machine does. What is broken fails twice.
 */
export function scenario(name, run, { start = standalone, browser = {}, skip = false, ms = SCENARIO_MS } = {}) {
  test(name, { timeout: TRIES * (ms + 2 * CLEANUP_MS), skip }, async () => {
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        await played(name, run, { start, browser, ms });
        if (left < TRIES - 1) console.error(`UNSTEADY: ${name} failed before it passed`);
        return;
      } catch (error) {
        if (left <= 0) throw error;
        console.error(`${name} failed, and is played again: ${error.stack}`);
      }
    }
  });
}

async function played(name, run, { start, browser, ms }) {
  const call = new Call();
  try {
    await within(name, ms, call.play(start, run, browser));
  } catch (error) {
    console.error(`--- ${name}: what the servers and pages said ---\n${call.log}\n---`);
    throw error;
  } finally {
    await within("the clean-up", CLEANUP_MS, call.end());
  }
}

class Call {
  people = [];
  #notes = [];
  #launching;

  async play(start, run, options) {
    this.server = start();
    // Kept even if the server does not start, or nobody would close it.
    this.#launching = this.server.launchBrowser(options).then((browser) => (this.browser = browser));
    await Promise.all([this.#launching, this.server.ready()]);
    await run(this);
  }

  /** Joins people one after the other, in the order of the cast. */
  async invite(count, options) {
    const invited = [];
    for (const role of CAST.slice(0, count)) invited.push(await Person.join(this, role, options));
    return invited;
  }

  note(line) {
    this.#notes.push(line);
  }

  get log() {
    return [this.server?.log, ...this.#notes.slice(-100)].filter(Boolean).join("\n");
  }

  async end() {
    await this.#launching?.catch(() => undefined);
    await this.browser?.close();
    await this.server?.stop();
  }
}
