import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

const NOTICED_MS = 30_000;
const MEASURED_MS = 10_000;
/** Of 500 packets of speech, 50 are lost, and of those that are sent again 5. */
const LOSS = 0.1;
const MISSED_MAX = 15;
/** Behind a long round trip nothing is sent again. */
const MISSED_MIN = 25;

/** Consumers' parameters have `nack` for Opus, which Chromium does not list and follows. No video: nothing else is sent again. */
scenario("a voice that a listener's path loses is sent again, as long as that comes in time", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = await callOfTwo(call, { ada: { ports: way.ports } });
    await ada.hears(ben);
    assert.equal(await ada.missesWithin(MEASURED_MS), 0, "a path that loses nothing");

    way.become({ down: { loss: LOSS, delay: 15 }, up: { delay: 15 } });
    await until("few are missed", NOTICED_MS, async () => ((await ada.missesWithin(MEASURED_MS)) <= MISSED_MAX ? true : null));

    way.become({ down: { loss: LOSS, delay: 200 }, up: { delay: 200 } });
    await until("late ones are not sent again", NOTICED_MS, async () => ((await ada.missesWithin(MEASURED_MS)) >= MISSED_MIN ? true : null));
  } finally {
    way.close();
  }
});
