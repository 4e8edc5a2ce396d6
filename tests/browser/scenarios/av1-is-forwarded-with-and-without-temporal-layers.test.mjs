import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { scalable } from "../lib/layers.mjs";
import { CAST, Person } from "../lib/person.mjs";
import { sleep } from "../lib/wait.mjs";

/** Of 15 frames a second, the lowest of three temporal layers has every fourth. */
const WATCH_MS = 2_000;
const FRAMES_OF_ALL_MIN = 18;
const FRAMES_OF_LOWEST_MAX = 12;
const SWITCH_MS = 1_000;

for (const scalabilityMode of ["L1T1", "L1T3"]) {
  scenario(`AV1 is forwarded as ${scalabilityMode}`, async (call) => {
    const ada = await Person.join(call, CAST[0], { sends: [] });
    const ben = await Person.join(call, CAST[1], { sends: [] });
    await ada.do("publishColour", ada.colour, scalable("video/AV1", scalabilityMode));
    await ben.recognises(ada, ["camera"]);
    assert.equal(await ada.ask(sentMode), scalabilityMode);

    if (scalabilityMode === "L1T3") {
      const all = await framesOf(ben, ada);
      assert.ok(all >= FRAMES_OF_ALL_MIN, `${all} frames of all layers`);
      await ben.do("prefer", ada.userId, { spatialLayer: 0, temporalLayer: 0 });
      await sleep(SWITCH_MS);
      const lowest = await framesOf(ben, ada);
      assert.ok(lowest > 0 && lowest <= FRAMES_OF_LOWEST_MAX, `${lowest} frames of the lowest layer`);
      await ben.recognises(ada, ["camera"]);
    }
    const { mimeType, pliCount } = await ben.do("videoStats", ada.userId);
    assert.equal(mimeType, "video/AV1");
    assert.ok(pliCount <= 1, `${pliCount} key frames were asked for by the decoder`);
  });
}

async function framesOf(receiver, sender) {
  const since = Date.now();
  await sleep(WATCH_MS);
  return (await receiver.do("frames", sender.userId, since)).length;
}

async function sentMode(client) {
  const stats = [...(await client.producers.camera.getStats()).values()];
  return stats.find(({ type }) => type === "outbound-rtp").scalabilityMode;
}
