/** Joins by a browser that was never there, from the click on "Join call" until somebody is heard. */
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { PageUser } from "../lib/page.mjs";
import { quantile } from "../lib/quantile.mjs";
import { until } from "../lib/wait.mjs";

/** Somebody new joins; what happened from the click on, with times in milliseconds. */
export async function joinOnce(call, channel = null) {
  const ben = await PageUser.open(call, "Ben", { tone: 770, script: await script() });
  if (channel) await ben.page.locator("#channel").fill(channel);
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

/** Milliseconds from the click to the first sound. */
export const tookOf = (steps) => steps.find(([name]) => name === "sound")[1] - steps[0][1];

/** The one in the middle, the smallest and the largest, rounded. */
export function spreadOf(values) {
  return [0.5, 0, 1].map((part) => Math.round(quantile(values, part)));
}

export function tellSteps(steps) {
  for (const [name, at] of steps) console.log(`${Math.round(at - steps[0][1])}`.padStart(6), name);
}

async function script() {
  const entry = fileURLToPath(new URL("../client/first-sound.js", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "iife" });
  return outputFiles[0].text;
}
