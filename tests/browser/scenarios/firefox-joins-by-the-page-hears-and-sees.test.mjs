import assert from "node:assert/strict";
import { listenerScript } from "../lib/bundle.mjs";
import { scenario } from "../lib/call.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { joinByKeyboard, PageUser } from "../lib/page.mjs";
import { sleep } from "../lib/wait.mjs";

const FIREFOX_TONE = 500;
const NETWORK_MS = 25_000;
/** Longer than anything has to be missing before it is said. */
const FALSE_ALARM_MS = 6_000;

scenario("Firefox joins by the page, hears and sees", async (call) => {
  const firefox = await launchFirefox(FIREFOX_TONE);
  try {
    const ben = await PageUser.open(call, "Ben", { tone: 770 });
    await ben.join();
    await ben.press("Start camera");

    const context = await firefox.newContext();
    const page = await context.newPage();
    await page.evaluateOnNewDocument(`window.withoutSpeakers = true;\n${await listenerScript()}`);
    await page.goto(`${call.server.url}/#secret=${call.server.secret}`);
    // The tests before a call tell a bandwidth here as well.
    await page.waitForSelector(".checks li:last-child button");
    await page.click(".checks li:last-child button");
    await page.waitForFunction(
      () => /\d Mbit\/s up/.test(document.querySelector(".checks li:last-child .result").textContent),
      { timeout: NETWORK_MS },
    );
    const ada = await joinByKeyboard(call, page, "Ada", FIREFOX_TONE);
    await ada.playsVideos(1);
    await ada.hears(ben);
    await ben.hears(ada);

    await page.click(".tool-camera");
    await ben.playsVideos(2);

    // Neither browser misses what arrives.
    await sleep(FALSE_ALARM_MS);
    for (const person of [ada, ben]) {
      assert.deepEqual(await person.page.$$eval(".trouble", (all) => all.map((it) => it.textContent)), ["", ""]);
      assert.equal(await person.page.$eval(".banner", (it) => it.textContent), "");
    }
  } finally {
    await firefox.close();
  }
});
