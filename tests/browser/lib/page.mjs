/** Somebody who uses the server's own page. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { listenerScript } from "./bundle.mjs";
import { sleep, until } from "./wait.mjs";

export const PICTURES = fileURLToPath(new URL("../../../target/screenshots/", import.meta.url));
/** Fewer packets with error correction are no sign of loss that a sender knows of. */
const FEC_PACKETS_MIN = 20;
/** The contract's deadline for a change to be seen by the others, in milliseconds. */
export const SEEN_MS = 2_000;
export const CONNECT_MS = 15_000;
const HERTZ_TOLERANCE = 25;

/**
 * Ada and Ben in one call, each with a tone. `camera`: Ben's is on, and Ada sees it. `ada`, `ben`: options
 * for `PageUser.open`; `tier`: Ben's. `signed`: with Pro tokens in which their names are their ids.
 */
export async function callOfTwo(call, options = {}) {
  const { ada = {}, ben = {}, tier, channel, camera = false, signed = false } = options;
  const token = async (name) => signed && { token: await call.server.token(name, "pro") };
  const people = [
    await PageUser.open(call, "Ada", { tone: 500, ...(await token("Ada")), ...ada }),
    await PageUser.open(call, "Ben", { tone: 770, ...(await token("Ben")), ...ben }),
  ];
  await people[0].join("Pro", channel);
  await people[1].join(tier, channel);
  if (camera) {
    await people[1].press("Start camera");
    await people[0].playsVideos(1);
  }
  return people;
}

/** What would change with new producers of Ben's or a new handshake of his. */
export async function connectionsOf(ada, ben) {
  return {
    received: await ada.page.evaluate(() => window.voicesReceived()),
    connections: await ben.page.evaluate(() => window.connectionsMade),
  };
}

/** How each of a person's connections goes: `{local, relayProtocol}`. */
export function pathsOf({ page }) {
  return page.evaluate(() => window.pathsTaken());
}

/**
 * Joins by the form of a page that Puppeteer opened, by keyboard: Puppeteer clicks where it found a button, also
 * after the button has moved. Gives the `PageUser`.
 */
export async function joinByKeyboard(call, page, name, tone) {
  noteWhatIsSaid(call, page, name);
  const field = await page.waitForSelector("#name");
  await field.type(name);
  await field.press("Enter");
  await page.waitForSelector(".tool-leave", { timeout: CONNECT_MS }).catch(async (error) => {
    call.note(`[${name} page] ${await page.evaluate(() => document.body.innerText)}`);
    throw error;
  });
  return new PageUser(call, page, name, tone);
}

function noteWhatIsSaid(call, page, name) {
  page.on("console", (message) => call.note(`[${name} console] ${message.text()}`));
  page.on("pageerror", (error) => call.note(`[${name} page] ${error.stack ?? error}`));
}

/** Within `ms`, what is there reads like `text`. */
export function says(locator, text, ms) {
  return until(
    async () => `${text}; it is: ${await locator.textContent()}`,
    ms,
    async () => (text.test((await locator.textContent()) ?? "") ? true : null),
  );
}

export class PageUser {
  /** How many were opened. */
  sockets = 0;

  /**
   * `tone`: of the microphone, in hertz; without it the browser's own beep. `rhythm`: one of `RHYTHMS`.
   * `hearsItself`: a microphone beside the speakers instead. `camera`: other constraints of it. `network`: its kind, for browsers that cannot
   * tell. `token`: instead of one for trials. `url`: another way to the server. `ports`: others in place of
   * the server's media ports. `script`: in place of the listener. `link`: what an invitation adds to the fragment.
   * `look`: options of the context.
   */
  static async open(call, name, options = {}) {
    const { tone, rhythm, hearsItself, camera, network, ports, script, link, ...more } = options;
    const { token, url = call.server.url, ...look } = more;
    const context = await call.browser.newContext({
      viewport: { width: 1280, height: 800 },
      permissions: ["microphone", "camera"],
      ...look,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    noteWhatIsSaid(call, page, name);
    const settings = JSON.stringify({ microphone: { tone, rhythm, hearsItself }, camera, network, ports });
    const content = script ?? (await listenerScript());
    await page.addInitScript({ content: `window.testSettings = ${settings};\n${content}` });
    const fragment = new URLSearchParams({ ...(token ? { token } : { secret: call.server.secret }), ...link });
    await page.goto(`${url}/#${fragment}`);
    await page.locator("#name").fill(name);
    return new PageUser(call, page, name, tone);
  }

  constructor(call, page, name, tone) {
    Object.assign(this, { call, page, name, tone });
    page.on("websocket", () => (this.sockets += 1));
  }

  /** Joins by the form; gives the milliseconds from the click to being in the call. */
  async join(tier = "Pro", channel = "lobby") {
    const choice = this.page.getByRole("radio", { name: tier });
    if (await choice.isVisible()) await choice.check();
    await this.page.locator("#channel").fill(channel);
    const start = Date.now();
    await this.button("Join call").click();
    await this.button("Leave", { exact: true }).waitFor({ timeout: CONNECT_MS });
    return Date.now() - start;
  }

  button(name, options) {
    return this.page.getByRole("button", { name, ...options });
  }

  press(name) {
    return this.button(name, { exact: true }).click();
  }

  /** Exactly that many people are shown, oneself included. */
  async sees(count, ms = SEEN_MS) {
    const tiles = this.page.locator(".tile.camera");
    await until(
      async () => `${this.name} sees ${count} people; ${await tiles.count()}`,
      ms,
      async () => ((await tiles.count()) === count ? true : null),
    );
  }

  /** The list of people says so of the other: `muted`, `deafened`. */
  seesThat({ name }, state) {
    return this.page.locator("#people li", { hasText: name }).getByText(state).waitFor();
  }

  /** Exactly that many videos, each with a picture that goes on. */
  async playsVideos(count) {
    const times = () =>
      this.page.$$eval(".tile video", (videos) => videos.map((v) => (v.videoWidth > 0 ? v.currentTime : 0)));
    const first = await until(
      async () => `${this.name}: ${count} videos play; ${JSON.stringify(await times())}`,
      CONNECT_MS,
      async () => {
        const now = await times();
        return now.length === count && now.every((time) => time > 0) ? now : null;
      },
    );
    await until(`${this.name}: the videos go on`, CONNECT_MS, async () => {
      const now = await times();
      return now.length === count && now.every((time, index) => time > first[index]) ? true : null;
    });
  }

  /** Receives the other's tone, from now on. */
  async hears(other, ms = CONNECT_MS) {
    const since = Date.now();
    let heard;
    await until(
      async () =>
        `${this.name} hears ${other.name} (${other.tone} Hz); ${JSON.stringify(heard)}; ${await this.#saysOfSound()}`,
      ms,
      async () => {
        heard = await this.tonesSince(since);
        return heard.some((hertz) => Math.abs(hertz - other.tone) <= HERTZ_TOLERANCE) ? true : null;
      },
    );
  }

  /** What came of each voice, and what the page says of it. */
  #saysOfSound() {
    return this.page.evaluate(async () => {
      const voices = (await window.packetsOfStreams()).filter(({ kind }) => kind === "audio");
      const said = [...document.querySelectorAll(".banner, .trouble, #toasts, #people li")];
      return JSON.stringify({ voices, said: said.map(({ textContent }) => textContent).filter(Boolean) });
    });
  }

  /** Receives something loud within `ms`, from now on. */
  async hearsSomething(ms) {
    const since = Date.now();
    await until(`${this.name} hears something`, ms, async () =>
      (await this.page.evaluate(() => window.lastLoudAt())) > since ? true : null,
    );
  }

  /** The frequency of each voice that is received since then. */
  tonesSince(since) {
    return this.page.evaluate((start) => window.heardSince(start), since);
  }

  /** Receives nothing loud for `ms`, from now on or from some moment within `grace`. */
  async hearsNothing(ms, grace = SEEN_MS) {
    const start = Date.now();
    let last;
    await until(
      () => `${this.name} hears nothing for ${ms} ms; something was heard ${Date.now() - last} ms ago`,
      grace + ms + 200,
      async () => {
        last = Math.max(start, await this.page.evaluate(() => window.lastLoudAt()));
        return Date.now() - last >= ms ? true : null;
      },
    );
  }

  /** Packets of voices with error correction (Opus in-band FEC) that are received within `ms`, from now on. */
  errorCorrectionWithin(ms) {
    return this.#countedWithin(ms, () => window.fecReceived());
  }

  /** Packets of its voice that are sent again within `ms`, from now on. */
  sentAgainWithin(ms) {
    return this.#countedWithin(ms, () => window.voicesSentAgain());
  }

  /** Packets of voices that it misses for good within `ms`, from now on. */
  missesWithin(ms) {
    return this.#countedWithin(ms, () => window.voicesLost());
  }

  /** By how much a count of the page rises within `ms`. */
  async #countedWithin(ms, count) {
    const before = await this.page.evaluate(count);
    await sleep(ms);
    return (await this.page.evaluate(count)) - before;
  }

  /** Receives error correction within `ms`, each time over `measured` ms. */
  async getsErrorCorrection(ms, measured) {
    await until("error correction comes", ms, async () =>
      (await this.errorCorrectionWithin(measured)) > FEC_PACKETS_MIN ? true : null,
    );
  }

  async isTold(text, ms = SEEN_MS) {
    await until(`${this.name} is told ${text}`, ms, async () =>
      text.test((await this.page.locator("#toasts").textContent()) ?? "") ? true : null,
    );
  }

  /** For people to look at, where they ask for it: drawing them all takes a minute of processor. */
  async picture(name) {
    if (!process.env.PICTURES) return;
    await mkdir(PICTURES, { recursive: true });
    await this.page.screenshot({ path: `${PICTURES}${name}.png` });
  }
}
