import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";

scenario("who deafens in the page hears nobody until listening again", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  await ada.hears(ben);
  await ben.hears(ada);

  await ben.press("Deafen");
  await ada.seesThat(ben, "deafened");
  await ben.hearsNothing(1_500);
  // Nobody should talk to somebody who cannot answer: the microphone is off as well.
  await ada.hearsNothing(500, 0);

  await ben.press("Undeafen");
  await ben.hears(ada);
  await ada.hears(ben);
  assert.equal(await ben.button("Mute", { exact: true }).count(), 1, "the microphone is on as before");
});
