import assert from "node:assert/strict";
import { launchInWindow } from "../../lib/background.mjs";
import { scenario } from "../../lib/call.mjs";
import { CONNECT_MS, SEEN_MS } from "../../lib/page.mjs";
import { sleep, until } from "../../lib/wait.mjs";

/** Longer than the heartbeat takes, and than anything has to be missing before it is said. */
const HIDDEN_MS = 14_000;
/** What is so on a machine that is too busy for the call, in sight or not. */
const BUSY = /breaks up|paused|coarser/;
/** What is not in sight has its timers once a second. */
const TIMER_MS = 1_000;

scenario("all tabs are in the background (hidden), and the call goes on", async (call) => {
  const browser = await launchInWindow();
  try {
    const ada = await browser.join(call, "Ada", 500);
    const ben = await browser.join(call, "Ben", 770);
    await ben.page.click(".tool-camera");
    await ada.playsVideos(1);
    await ada.hears(ben);
    const made = await ada.page.evaluate(() => window.connectionsMade);

    for (const person of [ada, ben]) {
      await person.hide();
      await until("the page is hidden", SEEN_MS, async () => (await isVisible(person)) ? null : true);
      await notesWhatIsSaid(person);
    }
    const hidden = Date.now();
    // Nobody can press anything there, but a key of the keyboard or the system may mute.
    await ben.page.evaluate(() => document.querySelector(".tool-mute").click());
    const muted = () => ada.page.$$eval("#people li", (people) => people.some((it) => /Ben.*muted/.test(it.textContent)));
    await until("Ada is told that Ben is muted", SEEN_MS + TIMER_MS, async () => ((await muted()) ? true : null));
    console.log(`the mute was told ${Date.now() - hidden} ms after it`);
    await ben.page.evaluate(() => document.querySelector(".tool-mute").click());
    await sleep(hidden + HIDDEN_MS - Date.now());
    for (const [person, other] of [[ada, ben], [ben, ada]]) {
      assert.equal(await isVisible(person), false);
      const silent = Date.now() - (await person.page.evaluate(() => window.lastLoudAt()));
      assert.ok(silent < 2 * TIMER_MS, `${person.name} last heard ${other.name} ${silent} ms ago`);
    }

    await ada.show();
    const back = Date.now();
    await ada.playsVideos(1);
    console.log(`the picture goes on ${Date.now() - back} ms after the tab was shown`);
    await ben.show();
    await ada.hears(ben, CONNECT_MS);
    // Nothing was gone, and nothing was said to be; the connections are those of before.
    for (const { page, name } of [ada, ben]) {
      const said = await page.evaluate(() => [...window.said]);
      assert.deepEqual(said.filter((it) => !BUSY.test(it)), [], name);
    }
    assert.equal(await ada.page.evaluate(() => window.connectionsMade), made);
  } finally {
    await browser.close();
  }
});

const isVisible = ({ page }) => page.evaluate(() => document.visibilityState === "visible");

/** Every sentence of the banner and of the tiles from now on. */
function notesWhatIsSaid({ page }) {
  return page.evaluate(() => {
    window.said = new Set();
    const look = () => {
      for (const { textContent } of document.querySelectorAll(".banner, .trouble")) if (textContent) window.said.add(textContent);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    look();
  });
}
