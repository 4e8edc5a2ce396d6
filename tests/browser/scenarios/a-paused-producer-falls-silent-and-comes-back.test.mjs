import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";
import { sleep } from "../lib/wait.mjs";

/** What is on its way and in the jitter buffer may still be heard; longer than a pause between bursts. */
const DRAIN_MS = 1_500;
const SILENCE_MS = 1_500;

scenario("a paused producer falls silent for the others and comes back", async (call) => {
  const [ada, ben, cleo] = await call.invite(3);
  await allRecogniseEachOther([ada, ben, cleo]);
  const isAdas = ({ userId }) => userId === "ada";

  const pausedAt = Date.now();
  await ada.do("setPaused", "mic", true);
  await Promise.all([ben, cleo].map((other) => other.seesEvent("voice:producerPaused", pausedAt, isAdas)));

  await sleep(DRAIN_MS);
  const silentFrom = Date.now();
  await sleep(SILENCE_MS);
  for (const other of [ben, cleo]) {
    const { lastLoudAt, frames } = await other.do("measure", "ada", silentFrom);
    assert.ok(lastLoudAt < silentFrom, `${other.userId} still hears ada`);
    assert.ok(frames > 0, `${other.userId} still sees ada`);
  }
  await ben.recognises(cleo);
  await cleo.recognises(ben);

  const resumedAt = Date.now();
  await ada.do("setPaused", "mic", false);
  await Promise.all([ben, cleo].map((other) => other.seesEvent("voice:producerResumed", resumedAt, isAdas)));
  await allRecogniseEachOther([ada, ben, cleo]);
});
