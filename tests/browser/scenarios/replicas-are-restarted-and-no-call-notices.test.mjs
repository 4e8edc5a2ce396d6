import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { cluster } from "../lib/cluster.mjs";
import { callOfTwo, connectionsOf } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const BACK_MS = 20_000;

scenario(
  "replicas are restarted one after the other, and no call notices",
  async (call) => {
    const [ada, ben] = await callOfTwo(call, { camera: true, signed: true });
    await ada.hears(ben);
    await ben.hears(ada);
    const before = await connectionsOf(ada, ben);

    for (const replica of [0, 1]) {
      await call.server.killReplica(replica);
      // Heard all the while, whoever lost a socket.
      await ada.hears(ben);
      await ben.hears(ada);
      await call.server.startReplicaAgain(replica);
      for (const person of [ada, ben]) await isBack(person);
    }
    for (const { name, sockets } of [ada, ben]) assert.ok(sockets > 1, `${name} lost no socket`);
    assert.deepEqual(await connectionsOf(ada, ben), before, "the same streams over the same connections");

    // And signaling works, wherever it is now.
    await ben.press("Mute");
    await ada.seesThat(ben, "muted");
    await ben.press("Unmute");
    await ada.hears(ben);
    await ada.playsVideos(1);
  },
  { start: cluster },
);

/** Has a socket again, and the session with it. */
function isBack({ name, page }) {
  return until(`${name} is back`, BACK_MS, async () =>
    (await page.locator(".banner").textContent()) === "" ? true : null,
  );
}
