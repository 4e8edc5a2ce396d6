import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { twoProcesses } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

/** Enough for a busy machine to bring both into the call, with the camera, before Pro ends. */
const PRO_S = 40;
const END_MS = PRO_S * 1000 + 8_000;
/** Of the tone's bursts and what a busy machine adds. */
const GAP_MAX_MS = 1_500;

scenario(
  "video stops when Pro ends and the voice goes on",
  async (call) => {
    const ada = await PageUser.open(call, "Ada", { tone: 500, token: await call.server.token("ada", "pro") });
    await ada.join();
    const proUntil = Math.floor(Date.now() / 1000) + PRO_S;
    const ben = await PageUser.open(call, "Ben", {
      tone: 770,
      token: await call.server.signed("ben", { tier: "pro", proUntil }),
    });
    await ben.join();
    await ben.press("Start camera");
    await ada.playsVideos(1);
    await ada.hears(ben);
    const micBitrate = async () => (await ben.page.evaluate(() => window.encodingsSent("audio")))[0].maxBitrate;
    assert.equal(await micBitrate(), 64_000);
    assert.ok(Date.now() < 1000 * proUntil, "they were not in the call before Pro ended: nothing is shown");

    await until("the camera stops", END_MS, async () =>
      (await ada.page.locator(".tile video").count()) === 0 ? true : null,
    );
    await ben.isTold(/Pro subscription has ended/);
    const late = Date.now() - 1000 * proUntil;
    assert.ok(late < 3_000, `the camera stopped ${late} ms after its time`);
    // The microphone that runs is not cut off by the server; the client lowers it to what Free may send.
    await until(
      async () => `the microphone goes down to 32 kbit/s; ${await micBitrate()}`,
      2_000,
      async () => ((await micBitrate()) === 32_000 ? true : null),
    );
    // Never longer silent than between two bursts.
    for (let look = 0; look < 8; look += 1) {
      const last = await ada.page.evaluate(() => window.lastLoudAt());
      assert.ok(Date.now() - last < GAP_MAX_MS, `silent for ${Date.now() - last} ms`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await ben.press("Start camera");
    await ben.page.getByRole("dialog", { name: "Turn on video with Pro" }).waitFor();
  },
  { start: twoProcesses },
);
