import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

const WORSE_MS = 25_000;
const BETTER_MS = 40_000;

scenario("a lossy path costs the picture, and never the voice", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = await callOfTwo(call, { ben: { ports: way.ports }, camera: true });
    await ada.hears(ben);
    await gradeIs(ben, /Excellent|Good/, WORSE_MS);
    assert.equal(await voicePriority(ben), "low");

    // Above 5 %: room for the voice's error correction.
    way.become({ loss: 0.12 });
    await until("the voice goes first", WORSE_MS, async () =>
      (await voicePriority(ben)) === "high" ? true : null,
    );

    // Critical: the camera is held back, and its owner is told why.
    way.become({ loss: 0.35 });
    await gradeIs(ben, /Fair|Poor/, WORSE_MS);
    const why = ben.page.getByText(/Your video is paused/);
    await why.waitFor({ timeout: WORSE_MS });
    await ada.playsVideos(0);
    await ada.hearsSomething(2_000);
    await ben.picture("held-back");

    way.become({});
    await why.waitFor({ state: "hidden", timeout: BETTER_MS });
    await ada.playsVideos(1);
    await gradeIs(ben, /Excellent/, BETTER_MS);
    await until("the voice needs no help", BETTER_MS, async () =>
      (await voicePriority(ben)) === "low" ? true : null,
    );
    await ada.hears(ben);
  } finally {
    way.close();
  }
});

async function voicePriority({ page }) {
  const [voice] = await page.evaluate(() => window.encodingsSent("audio"));
  return voice.priority;
}

/** The indicator in the call's header. */
function gradeIs({ name, page }, wanted, ms) {
  const grade = () => page.locator(".quality").textContent();
  return until(
    async () => `${name}'s network is ${wanted}; it is ${await grade()}`,
    ms,
    async () => (wanted.test(await grade()) ? true : null),
  );
}
