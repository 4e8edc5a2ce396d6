import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";

/** A chosen device has a voice of its own. */
const OTHER_DEVICE = { name: "Ben with another microphone", tone: 970 };

scenario("another microphone takes over without a new producer", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  await ada.hears(ben);
  const before = await ada.page.evaluate(() => window.voicesReceived());

  await ben.press("Settings");
  const picker = ben.page.locator("#call-microphone");
  const devices = await picker.locator("option").evaluateAll((all) => all.map(({ value }) => value));
  assert.ok(devices.length > 1, `there is a microphone to choose: ${devices}`);
  await picker.selectOption(devices.at(-1));
  await ada.hears(OTHER_DEVICE);
  assert.equal((await ben.page.evaluate(() => window.microphonesAsked)).at(-1), devices.at(-1));

  await picker.selectOption("");
  await ada.hears(ben);
  assert.equal(
    await ada.page.evaluate(() => window.voicesReceived()),
    before,
    "it is the same stream throughout",
  );
});
