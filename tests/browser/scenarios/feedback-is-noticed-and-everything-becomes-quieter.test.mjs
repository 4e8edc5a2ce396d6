import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";

const NOTICED_MS = 30_000;

scenario("feedback is noticed, and everything becomes 30 % quieter", async (call) => {
  const [ada, ben] = await callOfTwo(call, {
    ada: { rhythm: "speech" },
    ben: { tone: undefined, hearsItself: true },
  });
  await ben.hears(ada);
  assert.deepEqual(await ben.page.evaluate(() => window.volumes()), [1]);
  await ben.isTold(/Possible feedback. Use headphones/, NOTICED_MS);
  const [volume] = await ben.page.evaluate(() => window.volumes());
  assert.ok(Math.abs(volume - 0.7) < 0.001, `the volume is ${volume}`);
  // Nobody else is told.
  assert.equal(await ada.page.locator(".toast").count(), 0);
});
