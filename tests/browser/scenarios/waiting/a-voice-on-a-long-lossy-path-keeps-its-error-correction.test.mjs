import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

const NOTICED_MS = 30_000;
const MEASURED_MS = 6_000;

/** Chromium adds error correction to a tone from 9 % on, by a mean over some 10 s; the rest is for chance. */
const LOSS = 0.2;

/**
 * How much error correction (Opus in-band FEC) is sent is decided by the browser's encoder, by the loss that
 * the server reports. Chromium's puts in none below some 20 kbit/s, and that is what a page can do about it.
 */
scenario("a voice on a long, lossy path keeps its error correction", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    // Free: 32 kbit/s, of which a long way takes half.
    const [ada, ben] = await callOfTwo(call, { ben: { ports: way.ports }, tier: "Free" });
    await ada.hears(ben);
    way.become({ delay: 200 });
    await bitrateIs(ben, 16_000);
    assert.equal(await ada.errorCorrectionWithin(MEASURED_MS), 0, "a path that loses nothing needs none");

    way.become({ delay: 200, loss: LOSS });
    await bitrateIs(ben, 32_000);
    await ada.getsErrorCorrection(NOTICED_MS, MEASURED_MS);
  } finally {
    way.close();
  }
});

function bitrateIs({ name, page }, wanted) {
  const bitrate = async () => (await page.evaluate(() => window.encodingsSent("audio")))[0]?.maxBitrate;
  return until(
    async () => `${name}'s voice may take ${wanted} bit/s; ${await bitrate()}`,
    NOTICED_MS,
    async () => ((await bitrate()) === wanted ? true : null),
  );
}
