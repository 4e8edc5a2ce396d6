import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

/** Each way: together more than the 300 ms of the contract, and not yet critical. */
const DELAY_MS = 220;
const WORSE_MS = 20_000;
/** Each of up to three steps is taken back after four good looks, two seconds apart. */
const BETTER_MS = 50_000;

scenario("a slow path costs bitrate, and gives it back", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = await callOfTwo(call, { ben: { ports: way.ports }, camera: true });
    await ada.hears(ben);
    const full = await bitrates(ben);

    way.become({ delay: DELAY_MS });
    await bitratesAre(ben, "lower", WORSE_MS, (now) => now.video < full.video && now.audio < full.audio);
    await ben.press("Quality");
    await until("the round trip is shown", WORSE_MS, async () =>
      (await roundTrip(ben)) > 300 ? true : null,
    );
    // Less is sent, but all of it.
    await ada.hears(ben);
    await ada.playsVideos(1);

    way.become({});
    await bitratesAre(
      ben,
      "as before",
      BETTER_MS,
      (now) => now.video === full.video && now.audio === full.audio,
    );
    await until("the round trip is short again", WORSE_MS, async () =>
      (await roundTrip(ben)) < 200 ? true : null,
    );
  } finally {
    way.close();
  }
});

/** The most that may be sent of each kind, in bits per second. */
async function bitrates({ page }) {
  const total = (kind) =>
    page.evaluate(
      (wanted) => window.encodingsSent(wanted).reduce((sum, { maxBitrate }) => sum + (maxBitrate ?? 0), 0),
      kind,
    );
  return { audio: await total("audio"), video: await total("video") };
}

function bitratesAre(person, what, ms, matches) {
  let now;
  return until(
    () => `the bitrates are ${what}: ${JSON.stringify(now)}`,
    ms,
    async () => (matches((now = await bitrates(person))) ? true : null),
  );
}

async function roundTrip({ page }) {
  return parseFloat(
    await page.locator("#stats dl div", { hasText: "Round trip" }).locator("dd").textContent(),
  );
}
