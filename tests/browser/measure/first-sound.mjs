/**
 * How long it takes from the click on "Join call" until somebody is heard, with server and browsers on this
 * machine. Usage: node measure/first-sound.mjs [TIMES] [--steps]
 */
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "../lib/browser.mjs";
import { PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

const times = Number(process.argv[2] ?? 15);
const server = standalone();
await server.ready();
const browser = await launchBrowser();
const call = { server, browser, note: () => undefined };
try {
  const ada = await PageUser.open(call, "Ada", { tone: 500, rhythm: "dense" });
  await ada.join();
  const took = [];
  let last;
  for (let turn = 0; turn < times; turn += 1) {
    const steps = await joinOnce(call);
    last = steps;
    took.push(steps.find(([name]) => name === "sound")[1] - steps[0][1]);
  }
  took.sort((a, b) => a - b);
  const [median, fastest, slowest] = [took[times >> 1], took[0], took.at(-1)].map(Math.round);
  console.log(`from click to first sound: ${median} ms in the middle of ${times} (${fastest} to ${slowest})`);
  if (process.argv.includes("--steps")) {
    for (const [name, at] of last) console.log(`${Math.round(at - last[0][1])}`.padStart(6), name);
  }
} finally {
  await browser.close();
  await server.stop();
}

/** Somebody new joins; what happened from the click on, with times in milliseconds. */
async function joinOnce(call) {
  const ben = await PageUser.open(call, "Ben", { tone: 770, script: await script() });
  // Not by the button's name, as people find it: looking names up keeps the page busy.
  await ben.page.evaluate(() => document.querySelector(".join button[type=submit]").click());
  const steps = await until("sound", 15_000, async () => {
    const all = await ben.page.evaluate(() => window.steps);
    return all.some(([name]) => name === "sound") ? all : null;
  });
  await ben.page.context().close();
  return steps;
}

async function script() {
  const entry = fileURLToPath(new URL("../client/first-sound.js", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "iife" });
  return outputFiles[0].text;
}
