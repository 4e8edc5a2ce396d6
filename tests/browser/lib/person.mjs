/** Somebody in a call: a browser context of its own with the test client in it. */
import assert from "node:assert/strict";
import { clientScript, encryptionWorkerScript, permuteOffersScript } from "./bundle.mjs";
import { until, within } from "./wait.mjs";

export const CHANNEL = "three-in-a-room";

/** Far enough apart that neither a codec nor a resampler can confuse them. */
export const CAST = [
  { userId: "ada", tone: 500, colour: [200, 30, 30] },
  { userId: "ben", tone: 770, colour: [30, 170, 40] },
  { userId: "cleo", tone: 1130, colour: [40, 50, 200] },
];

const HERTZ_TOLERANCE = 25;
/** Greatest difference in any of red, green and blue after coding at a low bitrate. */
const COLOUR_TOLERANCE = 60;
const SIZE = [960, 540];
const RECOGNISE_MS = 15_000;
const FRAMES_MIN = 5;
/** The contract's deadline for a change to be seen by the others, in milliseconds. */
const SEEN_WITHIN_MS = 2_000;

export class Person {
  static async join(call, { userId, tone, colour }, options = {}) {
    const { tier = "pro", mode = "reply", permuted = false, sends = ["mic", "camera"] } = options;
    const { browser = call.browser, speakers = true, size = SIZE, ports, e2ee } = options;
    const token = await call.server.token(userId, tier);
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("console", (message) => call.note(`[${userId} console] ${message.text()}`));
    page.on("pageerror", (error) => call.note(`[${userId} page] ${error.stack ?? error}`));
    if (permuted) await page.addInitScript({ content: await permuteOffersScript() });
    const person = new Person(call, page, { userId, tone, colour, size });
    call.people.push(person);

    // A plain page of the server's own origin, so that no cross-origin rule is in the way.
    await page.goto(`${call.server.url}/healthz`);
    await page.evaluate(await clientScript());
    person.joined = await person.do("join", {
      userId,
      token,
      mode,
      channel: CHANNEL,
      speakers,
      ports,
      e2ee: e2ee && { ...e2ee, worker: await encryptionWorkerScript() },
    });
    if (sends.includes("mic")) await person.do("publishTone", tone);
    if (sends.includes("camera")) await person.do("publishColour", colour);
    return person;
  }

  constructor(call, page, { userId, tone, colour, size }) {
    Object.assign(this, { call, page, userId, tone, colour, size });
  }

  /** Calls a method of the client in the page. */
  do(method, ...args) {
    const work = this.page.evaluate(([name, given]) => window.client[name](...given), [method, args]);
    return within(`${this.userId}'s ${method}`, 20_000, work);
  }

  /** Evaluates a function of the client in the page. */
  ask(question, argument) {
    const source = `(${question})(window.client, ${JSON.stringify(argument ?? null)})`;
    return within(`asking ${this.userId}`, 10_000, this.page.evaluate(source));
  }

  /** Hears the other's tone and sees the other's colour, both from now on, or fails. */
  async recognises(other, sources = ["camera", "mic"]) {
    const since = Date.now();
    let last;
    await until(
      () =>
        `${this.userId} does not recognise ${other.userId} (${other.tone} Hz, ${other.colour}): ${JSON.stringify(last)}`,
      RECOGNISE_MS,
      async () => {
        last = await this.do("measure", other.userId, since);
        const hears = !sources.includes("mic") || closeTo(last.tone, other.tone);
        const sees =
          !sources.includes("camera") || (last.frames >= FRAMES_MIN && sameColour(last.colour, other.colour));
        return hears && sees ? last : null;
      },
    );
    assert.deepEqual(last.sources, [...sources].sort(), `what ${this.userId} receives of ${other.userId}`);
    if (sources.includes("camera") && other.size)
      assert.deepEqual(last.size, other.size, `the size of ${other.userId}'s picture`);
  }

  /** The first event of that name since then, which must have come within the contract's deadline. */
  async seesEvent(name, since, matches = () => true) {
    const event = await until(`${this.userId} sees ${name}`, SEEN_WITHIN_MS + 3_000, async () => {
      const events = await this.eventsSince(since, name);
      return events.find(({ payload }) => matches(payload));
    });
    const took = event.at - since;
    assert.ok(took <= SEEN_WITHIN_MS, `${this.userId} saw ${name} after ${took} ms`);
    return event.payload;
  }

  eventsSince(since, name) {
    return this.ask(
      (client, [start, wanted]) =>
        client.events.filter((event) => event.at >= start && (!wanted || event.name === wanted)),
      [since, name ?? null],
    );
  }

  describe() {
    return this.do("describe");
  }
}

/** Everybody in `people` recognises everybody else. */
export async function allRecogniseEachOther(people, sources) {
  const pairs = people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other]));
  await Promise.all(pairs.map(([one, other]) => one.recognises(other, sources)));
  for (const person of people) {
    const { failures, connections } = await person.describe();
    assert.deepEqual(failures, [], `${person.userId}'s failures`);
    assert.deepEqual(connections, ["connected", "connected"], `${person.userId}'s transports`);
  }
}

function closeTo(hertz, expected) {
  return hertz !== null && Math.abs(hertz - expected) <= HERTZ_TOLERANCE;
}

function sameColour(seen, sent) {
  return seen !== null && seen.every((value, index) => Math.abs(value - sent[index]) <= COLOUR_TOLERANCE);
}
