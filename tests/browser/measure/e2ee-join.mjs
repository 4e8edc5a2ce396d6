/**
 * How much longer a join takes in a channel that is encrypted end to end (keys by MLS): from the click on "Join call"
 * until somebody is heard, in turns with a channel that is not, each time by a browser that was never there.
 * Usage: node measure/e2ee-join.mjs [TIMES] [--steps]
 */
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "../lib/browser.mjs";
import { PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

const times = Number(process.argv[2] ?? 15);
const CHANNELS = { encrypted: "club", plain: "lobby" };
const server = standalone({ api: true });
await server.ready();
const browser = await launchBrowser();
const call = { server, browser, note: () => undefined };
const took = { encrypted: [], plain: [] };
const last = {};
try {
  await server.putChannel(CHANNELS.encrypted, { tier: "pro", encryption: "endToEnd" });
  await server.putChannel(CHANNELS.plain, { tier: "pro" });
  for (const [how, channel] of Object.entries(CHANNELS)) {
    const ada = await PageUser.open(call, `Ada ${how}`, { tone: 500, rhythm: "dense" });
    await ada.join("Pro", channel);
  }
  for (let turn = 0; turn < times; turn += 1) {
    for (const how of turn % 2 === 0 ? ["encrypted", "plain"] : ["plain", "encrypted"]) {
      const steps = await joinOnce(CHANNELS[how]);
      last[how] = steps;
      took[how].push(steps.find(([name]) => name === "sound")[1] - steps[0][1]);
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
for (const how of ["plain", "encrypted"]) {
  const sorted = [...took[how]].sort((one, other) => one - other);
  const [median, fastest, slowest] = [sorted[times >> 1], sorted[0], sorted.at(-1)].map(Math.round);
  console.log(`${how}: from click to first sound ${median} ms in the middle of ${times} (${fastest} to ${slowest})`);
}
const more = took.encrypted.map((value, turn) => value - took.plain[turn]).sort((one, other) => one - other);
console.log(`encrypted takes ${Math.round(more[times >> 1])} ms more, in the middle of ${times} pairs`);
if (process.argv.includes("--steps"))
  for (const how of ["plain", "encrypted"]) {
    console.log(how);
    for (const [name, at] of last[how]) console.log(`${Math.round(at - last[how][0][1])}`.padStart(6), name);
  }

async function joinOnce(channel) {
  const ben = await PageUser.open(call, "Ben", { tone: 770, script: await script() });
  await ben.page.locator("#channel").fill(channel);
  // Not by the button's name, as people find it: looking names up keeps the page busy.
  await ben.page.evaluate(() => document.querySelector(".join button[type=submit]").click());
  let steps;
  await until(() => `sound: ${JSON.stringify(steps)}`, 15_000, async () => {
    steps = await ben.page.evaluate(() => window.steps);
    return steps.some(([name]) => name === "sound") || null;
  });
  await ben.page.context().close();
  return steps;
}

async function script() {
  const entry = fileURLToPath(new URL("../client/first-sound.js", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "iife" });
  return outputFiles[0].text;
}
