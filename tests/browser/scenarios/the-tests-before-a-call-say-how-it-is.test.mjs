import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const ECHO_MS = 20_000;

scenario("the tests before a call say how it is", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500, ...CHECKED });
  const { page } = ada;
  const result = (title) => page.locator(".checks li", { hasText: title }).locator(".result");

  await ada.press("Test microphone");
  const meter = page.getByRole("meter");
  await until("the meter moves", 5_000, async () =>
    Number(await meter.getAttribute("aria-valuenow")) > 20 ? true : null,
  );
  await ada.press("Play tone");
  await says(result("Speaker"), /Did you hear it/, 5_000);

  await ada.press("Record 3 s");
  await says(result("Echo test"), /recording/i, 10_000);
  await says(result("Echo test"), /Clear|headphones|microphone works/i, ECHO_MS);

  await ada.press("Test network");
  await says(result("Network"), /voice|video|Calls work/, ECHO_MS);
  assert.match(await result("Network").textContent(), /ms to the server/);
  await ada.picture("diagnostics");
  await isAccessible(ada, "the results of the tests");

  // And the call has the microphone afterwards.
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join();
  await ada.join();
  await ben.hears(ada);
});

function says(locator, text, ms) {
  return until(
    async () => `${text}; it is: ${await locator.textContent()}`,
    ms,
    async () => (text.test((await locator.textContent()) ?? "") ? true : null),
  );
}
