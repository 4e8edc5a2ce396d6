import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { twoProcesses } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

/** How long Pro lasts, and how long on a machine too busy to bring both into the call by then, with the camera. */
const PRO_S = [12, 40];
const END_MS = 8_000;
/** Of the tone's bursts and what a busy machine adds. */
const GAP_MAX_MS = 1_500;

scenario(
  "video stops when Pro ends and the voice goes on",
  async (call) => {
    const ada = await PageUser.open(call, "Ada", { tone: 500, token: await call.server.token("ada", "pro") });
    await ada.join();
    let ben;
    let proUntil;
    let isShown = false;
    const micBitrate = async () => (await ben.page.evaluate(() => window.encodingsSent("audio")))[0].maxBitrate;
    for (const seconds of PRO_S) {
      await ben?.page.close();
      proUntil = Math.floor(Date.now() / 1000) + seconds;
      const token = await call.server.signed("ben", { tier: "pro", proUntil });
      ben = await PageUser.open(call, "Ben", { tone: 770, token });
      isShown = (await sendsAsPro(ada, ben, micBitrate)) && Date.now() < 1000 * proUntil;
      if (isShown) break;
    }
    assert.ok(isShown, "Ben's camera was not seen before Pro ended: nothing is shown");

    await until("the camera stops", 1000 * proUntil + END_MS - Date.now(), async () =>
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

/** Whether Ben sends what Pro allows; false if it takes too long. */
async function sendsAsPro(ada, ben, micBitrate) {
  try {
    await ben.join();
    await ben.press("Start camera");
    await ada.playsVideos(1);
    await ada.hears(ben);
  } catch {
    return false;
  }
  assert.equal(await micBitrate(), 64_000);
  return true;
}
