import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

const HOLE_MAX_MS = 300;
/** Chromium's checks on a path that works are 2.5 s apart. */
const CHECK_MS = 10_000;
/** Its reports in a call without pictures are 5 s apart, and up to half as long again. */
const PROOF_MS = 15_000;

scenario("a muted listener in a voice-only call, whose port changes, goes on hearing", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = await callOfTwo(call, { ada: { ports: way.ports } });
    await ada.hears(ben);
    await ada.press("Mute");
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const proved = async () => count(await call.server.metrics(), "proved_addresses");
    const before = await proved();

    const since = Date.now();
    way.changePorts();
    await until("every port has changed", CHECK_MS, () => (way.leaving === 0 ? true : null));
    await until("the new port is proved", PROOF_MS, async () => ((await proved()) > before ? true : null));
    await ada.hears(ben);

    const times = way.mediaAt.filter((at) => at >= since - 100);
    const holes = times.slice(1).map((at, place) => at - times[place]);
    console.log(`the longest hole: ${Math.max(...holes)} ms, of ${times.length} packets`);
    assert.ok(Math.max(...holes) <= HOLE_MAX_MS, `a hole of ${Math.max(...holes)} ms`);
  } finally {
    way.close();
  }
});

function count(metrics, name) {
  const lines = metrics.matchAll(new RegExp(`^railgun_media_${name}_total(?:\\{[^}]*\\})? (\\d+)`, "gm"));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
