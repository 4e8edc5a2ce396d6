import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

const NOTICED_MS = 20_000;
const MEASURED_MS = 10_000;
/** Of 500 packets of speech, 50 are lost. */
const LOSS = 0.1;
const AGAIN_MIN = 15;
/** Behind a round trip that is longer than a listener's buffer waits, one is asked for each 2 s. */
const MEASURING_MAX = 8;

/** NACKs for Opus, which mediasoup-client offers as `opusNack`. */
scenario("a voice on a lossy uplink is sent again, as long as that comes in time", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = await callOfTwo(call, { ben: { ports: way.ports } });
    await ada.hears(ben);
    assert.equal(await ben.sentAgainWithin(MEASURED_MS), 0, "a path that loses nothing");

    way.become({ up: { loss: LOSS, delay: 15 }, down: { delay: 15 } });
    await until("packets are sent again", NOTICED_MS, async () => ((await ben.sentAgainWithin(MEASURED_MS)) >= AGAIN_MIN ? true : null));

    way.become({ up: { loss: LOSS, delay: 200 }, down: { delay: 200 } });
    await until("late ones are not asked for", NOTICED_MS, async () => ((await ben.sentAgainWithin(MEASURED_MS)) <= MEASURING_MAX ? true : null));
  } finally {
    way.close();
  }
});
