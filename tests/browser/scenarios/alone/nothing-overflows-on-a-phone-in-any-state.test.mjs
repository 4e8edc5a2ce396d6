import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../../lib/axe.mjs";
import { scenario } from "../../lib/call.mjs";
import { nothingOverflows } from "../../lib/overflow.mjs";
import { CONNECT_MS, PageUser } from "../../lib/page.mjs";
import { speaksOnly, textsOf } from "../../lib/texts.mjs";
import { until } from "../../lib/wait.mjs";

/** In German, whose words are the longer ones. */
scenario("nothing overflows on a phone in any state, in German either", async (call) => {
  const [t, en] = [await textsOf("de"), await textsOf("en")];
  const channel = "a-channel-with-a-rather-long-name-1234";
  const phone = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true, locale: "de-DE", ...CHECKED };
  const ada = await PageUser.open(call, "Adalbertina-Wilhelmine von Hohenstein", { tone: 500, ...phone });
  const isFine = async (what) => {
    await nothingOverflows(ada, `phone ${what}`);
    await speaksOnly(ada, t, en, what);
  };
  // Those that axe sees in no other scenario.
  const isFineForAll = async (what) => {
    await isFine(what);
    await isAccessible(ada, what);
  };
  await isFine("lobby");
  await ada.page.locator("#channel").fill(channel);
  await ada.press(t.join.submit);
  await ada.page.getByText(t.invitation.first.trim()).waitFor();
  await isFine("alone");
  await ada.press(t.invitation.title);
  await isFineForAll("invitation");
  await ada.page.keyboard.press("Escape");

  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join("Pro", channel);
  await ada.sees(2);
  await isFine("call of two");
  await ben.press("Start camera");
  await ada.press(t.tools.startCamera);
  await ada.playsVideos(2);
  await isFine("call with cameras");
  // A phone's other camera takes over.
  const used = () => ada.page.evaluate(() => document.querySelector(".tile.own video").srcObject.getVideoTracks()[0].getSettings().deviceId);
  const before = await used();
  await ada.page.locator(".tile.own").getByRole("button", { name: t.tile.flip }).click();
  await until("the other camera is used", CONNECT_MS, async () => ((await used()) === before ? null : true));
  const pin = ada.page.locator(".tile", { hasText: "Ben" }).getByRole("button", { name: t.tile.pin("Ben") });
  await pin.click();
  await isFineForAll("with a pinned person");
  await pin.click();
  await ben.press("Share screen");
  await ada.page.locator(".focus .tile.screen video").waitFor();
  await isFine("with a shared screen");
  await isZoomed(ada, t.tile.zoom(t.tile.screenOf("Ben")));
  await isFineForAll("with an enlarged screen");

  await ada.press(t.tools.people);
  await isFine("with people");
  await ada.press(t.people.close);
  await ada.page.locator(".quality").click();
  await isFine("with quality");
  await ada.press(t.stats.close);
  await ada.press(t.tools.settings);
  await isFine("with settings");
  await ada.page.keyboard.press("Escape");
  await ada.press(t.gestures.react);
  await isFine("with reactions");
  await ada.page.keyboard.press("Escape");
  await ada.page.locator(".lock-state").click();
  await isFineForAll("with the encryption");
  await ada.page.keyboard.press("Escape");

  for (const [kind, text] of [["audio", t.call.mutedBySystem], ["video", t.call.cameraMutedBySystem]]) {
    await isSaidWhenMutedBySystem(ada, kind, text);
    await isFineForAll(`${kind} muted by the system`);
    await ada.page.evaluate((kind) => window.muteBySystem(kind, false), kind);
    await ada.page.locator(".banner").getByText(text, { exact: true }).waitFor({ state: "detached" });
  }

  // Its camera is taken away, as by an unplugged cable or a revoked permission.
  await ada.page.evaluate(() =>
    document.querySelector(".tile.own video").srcObject.getVideoTracks()[0].dispatchEvent(new Event("ended")),
  );
  const taken = Date.now();
  await ada.isTold(new RegExp(t.notices.cameraLost));
  console.log(`the camera is taken away: said ${Date.now() - taken} ms after it`);
  await ada.button(t.tools.startCamera).waitFor();

  call.server.programs.at(-1).child.kill("SIGKILL");
  const reconnects = ada.page.getByText(new RegExp(`${t.call.resuming}|${t.call.joiningAgain}`));
  await reconnects.waitFor();
  await isFine("reconnecting");
  await isSaidWhenMutedBySystem(ada, "audio", t.call.mutedBySystem);
  await reconnects.waitFor();
  await isFine("reconnecting, muted by the system");
});

/** Within a second by the page's clock, by a sentence of its own for each device, whatever else is said. */
async function isSaidWhenMutedBySystem({ page }, kind, text) {
  const took = await page.evaluate(
    ([kind, text, patience]) =>
      new Promise((resolve, reject) => {
        const banner = document.querySelector(".banner");
        const since = performance.now();
        const look = () => {
          const isSaid = [...banner.children].some((it) => it.checkVisibility() && it.textContent === text);
          if (isSaid) resolve(performance.now() - since);
        };
        new MutationObserver(look).observe(banner, { subtree: true, childList: true, characterData: true });
        setTimeout(() => reject(new Error(`the banner says "${banner.innerText}"`)), patience);
        window.muteBySystem(kind, true);
      }),
    [kind, text, CONNECT_MS],
  );
  console.log(`${kind} muted by the system: said ${Math.round(took)} ms after it`);
  assert.ok(took < 1_000, `${kind} muted by the system: said ${took} ms after it`);
}

/** Two times as large, and the rest of it within the keyboard's reach. */
async function isZoomed({ page }, button) {
  const pane = page.locator(".focus .tile.screen .pane");
  const sizes = () => pane.evaluate((it) => [it.querySelector("video").offsetWidth / it.clientWidth, it.scrollLeft, it.scrollTop]);
  assert.deepEqual(await sizes(), [1, 0, 0]);
  await page.getByRole("button", { name: button }).click();
  const [factor, left, top] = await sizes();
  assert.ok(Math.abs(factor - 2) < 0.1 && left > 0 && top > 0, `the middle, twice as large: ${factor}, ${left}, ${top}`);
  await pane.focus();
  await page.keyboard.press("ArrowDown");
  await until("the arrow keys scroll", 2_000, async () => ((await sizes())[2] > top ? true : null));
}
