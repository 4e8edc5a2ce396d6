import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../../lib/axe.mjs";
import { scenario } from "../../lib/call.mjs";
import { nothingOverflows } from "../../lib/overflow.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { sleep } from "../../lib/wait.mjs";

/** The contract's. */
const SAID_MS = 3_000;
/** Thirty minutes of it: `node measure/quiet.mjs`. */
const QUIET_MS = 8_000;
const NOBODY = /No sound arrives from anybody/;

scenario("no sound from anybody is said within 3 s, and never in silence", async (call) => {
  const [ada, ben] = await callOfTwo(call, { ada: CHECKED });
  await ada.hears(ben);
  await ben.hears(ada);
  await ada.press("Quality");
  await ada.page.getByText("Excellent").first().waitFor({ timeout: 15_000 });

  // Microphones that are on and give nothing: Opus sends next to nothing.
  for (const person of [ada, ben]) {
    await person.press("Settings");
    const volume = person.page.getByLabel("Microphone volume");
    await volume.fill("0");
    await person.page.keyboard.press("Escape");
  }
  await isQuiet(ada, "everybody is silent");
  await ben.press("Mute");
  await isQuiet(ada, "the only other one is muted");
  await ada.press("Deafen");
  await ben.press("Unmute");
  await isQuiet(ada, "one hears nobody by choice", QUIET_MS / 2);
  await ada.press("Undeafen");
  await isQuiet(ada, "one listens again", QUIET_MS / 2);

  const server = call.server.programs.at(-1);
  const frozen = Date.now();
  server.child.kill("SIGSTOP");
  try {
    await ada.page.getByText(NOBODY).waitFor({ timeout: SAID_MS + 500 });
    console.log(`said ${Date.now() - frozen} ms after the last packet`);
    await ada.page.locator(".tile", { hasText: "Ben" }).getByText("no sound arrives").waitFor();
    await ada.page.locator("#stats").getByText("Poor").waitFor({ timeout: SAID_MS });
    await nothingOverflows(ada, "no-sound-from-anybody");
    await isAccessible(ada, "no sound from anybody");
  } finally {
    server.child.kill("SIGCONT");
  }
  await ada.page.getByText(NOBODY).waitFor({ state: "hidden", timeout: 15_000 });
});

async function isQuiet({ page }, what, ms = QUIET_MS) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(200)) {
    assert.equal(await page.getByText(NOBODY).count(), 0, what);
    assert.equal(await page.getByText("no sound arrives").count(), 0, what);
  }
}
