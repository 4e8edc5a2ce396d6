import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { scenario } from "../lib/call.mjs";
import { until } from "../lib/wait.mjs";

const PICTURES = fileURLToPath(new URL("../../../target/screenshots/", import.meta.url));
const SEEN_MS = 2_000;
const CONNECT_MS = 15_000;

scenario("the page holds a call of three", async (call) => {
  await mkdir(PICTURES, { recursive: true });
  const ada = await openPage(call, "Ada");
  await picture(ada, "join");
  await join(ada, "Pro");
  const ben = await openPage(call, "Ben", { colorScheme: "dark" });
  await join(ben, "Pro");
  const cleo = await openPage(call, "Cleo", { viewport: { width: 390, height: 760 } });
  await join(cleo, "Free");
  const pages = [ada, ben, cleo];
  for (const page of pages) await hasPeople(page, 3, CONNECT_MS);

  await ada.getByRole("button", { name: "Start camera" }).click();
  await ben.getByRole("button", { name: "Start camera" }).click();
  for (const page of pages) await playsVideos(page, 2);
  // Two microphones of others each.
  for (const page of pages) await hearsOthers(page, 2);

  await cleo.getByRole("button", { name: "Start camera" }).click();
  await saysNotice(cleo, /camera needs Pro/);
  await cleo.getByRole("button", { name: "Mute", exact: true }).press("Enter");
  for (const page of pages)
    await until("Cleo is shown as muted", SEEN_MS, () => one(page.locator("#people .state")));
  await picture(ada, "call-light");
  await picture(ben, "call-dark");
  await picture(cleo, "call-narrow");

  await ben.getByRole("button", { name: "Share screen" }).click();
  for (const page of pages) await playsVideos(page, 3);
  await picture(ada, "call-screen");
  await ben.getByRole("button", { name: "Stop sharing" }).click();
  for (const page of pages) await playsVideos(page, 2);

  await ben.getByRole("button", { name: "Leave" }).click();
  await ben.getByRole("button", { name: "Join" }).waitFor({ timeout: SEEN_MS });
  for (const page of [ada, cleo]) await hasPeople(page, 2, SEEN_MS);
  await playsVideos(cleo, 1);
});

async function openPage(call, name, look = {}) {
  const context = await call.browser.newContext({ viewport: { width: 1100, height: 700 }, ...look });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("console", (message) => call.note(`[${name} console] ${message.text()}`));
  page.on("pageerror", (error) => call.note(`[${name} page] ${error.stack ?? error}`));
  await page.goto(call.server.url);
  await page.getByLabel("Your name").fill(name);
  return page;
}

async function join(page, tier) {
  await page.getByRole("radio", { name: tier }).check();
  await page.getByLabel("Channel").press("Enter");
  await page.getByRole("button", { name: "Leave" }).waitFor({ timeout: CONNECT_MS });
}

function hasPeople(page, count, ms) {
  return until(`${count} people in the list`, ms, async () =>
    (await page.locator("#people li").count()) === count ? true : null,
  );
}

/** Exactly that many videos, each with a picture that goes on. */
async function playsVideos(page, count) {
  const times = () =>
    page.$$eval("video", (videos) => videos.map((v) => (v.videoWidth > 0 ? v.currentTime : 0)));
  const running = (values) => values.length === count && values.every((time) => time > 0);
  const first = await until(
    async () => `${count} videos play; ${JSON.stringify(await times())}`,
    CONNECT_MS,
    async () => ((values) => (running(values) ? values : null))(await times()),
  );
  await until("the videos go on", CONNECT_MS, async () => {
    const now = await times();
    return now.length === count && now.every((time, index) => time > first[index]) ? true : null;
  });
}

async function hearsOthers(page, count) {
  const playing = () =>
    page.$$eval("audio", (all) => all.filter((audio) => !audio.paused && audio.currentTime > 0).length);
  assert.equal(
    await until("sound plays", CONNECT_MS, async () => ((n) => (n >= count ? n : null))(await playing())),
    count,
  );
}

async function saysNotice(page, text) {
  await until(`the notice ${text}`, SEEN_MS, async () =>
    text.test((await page.getByRole("alert").textContent()) ?? "") ? true : null,
  );
}

async function one(locator) {
  return (await locator.count()) === 1 ? true : null;
}

function picture(page, name) {
  return page.screenshot({ path: `${PICTURES}${name}.png` });
}
