import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { sleep } from "../../lib/wait.mjs";

const NOTICED_MS = 40_000;
const MEASURED_MS = 10_000;
/**
 * Chromium adds error correction to a tone from 9 % on (to speech from 1 % on), by a mean over some 10 s. A publisher is told
 * of 15 % at most; the rest is for chance.
 */
const LOSS = 0.2;
/** What loss that a sender is told of may cost its video, of which none is lost on its own way. */
const VIDEO_LEFT_MIN = 0.95;

/** The speaker's own way loses nothing; the loss that its browser is told of is the listener's. */
scenario("listeners behind a lossy path get Opus error correction (FEC), and the video keeps its rate", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = await callOfTwo(call, { ada: { ports: way.ports }, camera: true });
    await ada.hears(ben);
    await sleep(MEASURED_MS);
    const before = await sentBy(ben);
    assert.equal(await ada.errorCorrectionWithin(MEASURED_MS), 0, "a path that loses nothing needs none");

    way.become({ loss: LOSS });
    await ada.getsErrorCorrection(NOTICED_MS, MEASURED_MS);
    const after = await sentBy(ben);
    call.note(`Ben may send ${before} bit/s, ${after} with error correction of the voice`);
    assert.ok(after >= VIDEO_LEFT_MIN * before, `Ben may send ${before} bit/s, then ${after}`);
  } finally {
    way.close();
  }
});

/** What a browser may send by its own estimate, in bits per second, of which a voice's error correction takes nothing. */
function sentBy({ page }) {
  return page.evaluate(() => window.availableToSend());
}
