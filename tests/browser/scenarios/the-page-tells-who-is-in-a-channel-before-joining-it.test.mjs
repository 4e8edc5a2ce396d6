import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { PageUser, SEEN_MS } from "../lib/page.mjs";

scenario("the page tells who is in a channel before joining it", async (call) => {
  const eve = await PageUser.open(call, "Eve", { locale: "de-DE", ...CHECKED });
  const told = (text) => eve.page.locator(".peek", { hasText: text }).waitFor({ timeout: SEEN_MS });
  const channel = eve.page.locator("#channel");
  const button = eve.page.locator("button[type=submit].primary");
  const heights = () => eve.page.evaluate(() => window.heightsOfButton);
  await eve.page.evaluate(() => {
    window.heightsOfButton = [];
    const look = () => {
      const { y } = document.querySelector("button[type=submit].primary").getBoundingClientRect();
      if (window.heightsOfButton.at(-1) !== y) window.heightsOfButton.push(y);
      requestAnimationFrame(look);
    };
    look();
  });
  await channel.fill("den");
  await told("In diesem Kanal ist noch niemand.");
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.join("Pro", "den");
  await told("Ada ist in diesem Kanal.");
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join("Free", "den");
  await told("Ada und Ben sind in diesem Kanal.");
  await isAccessible(eve, "a channel with people in it");
  await eve.picture("who-is-in-a-channel");
  await ben.press("Leave");
  await told("Ada ist in diesem Kanal.");
  // Who comes and goes does not move the button from under the pointer.
  assert.equal((await heights()).length, 1, `the button was at ${await heights()}`);

  await eve.page.evaluate(() => {
    // A browser without a window refuses the lock.
    class Lock extends EventTarget {
      released = false;
      async release() {
        this.released = true;
      }
    }
    WakeLock.prototype.request = async () => (window.wakeLock = new Lock());
  });
  const isAwake = (held) => eve.page.waitForFunction((on) => (window.wakeLock?.released === false) === on, held);

  // Whoever is in the call has one socket, for both.
  await button.click();
  await eve.page.locator(".tool-leave").waitFor();
  await ada.sees(2);
  await isAwake(true);
  assert.equal(await eve.page.locator(".peek").count(), 0);
  await eve.page.locator(".tool-leave").click();
  await isAwake(false);
  await told("Ada ist in diesem Kanal.");
  await channel.fill("elsewhere");
  await told("noch niemand");
});
