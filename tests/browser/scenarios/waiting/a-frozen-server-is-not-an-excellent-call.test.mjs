import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { sleep } from "../../lib/wait.mjs";

/** Longer than the heartbeat takes (10 s), and shorter than a session lives without its socket. */
const FROZEN_MS = 14_000;
/** By then the heartbeat of 5 s has missed its answer for 5 s more, however busy the machine is. */
const KNOWN_MS = 11_000;
const BACK_MS = 30_000;

scenario("a frozen server is not an excellent call", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  await ada.hears(ben);
  await ben.hears(ada);
  await ada.press("Quality");
  await ada.page.getByText("Excellent").first().waitFor({ timeout: 15_000 });

  const server = call.server.programs.at(-1);
  const frozen = Date.now();
  server.child.kill("SIGSTOP");
  let said = "";
  try {
    while (Date.now() - frozen < FROZEN_MS) {
      const grade = await ada.page.locator(".quality").textContent();
      const others = await ada.page.locator("#people li", { hasText: "Ben" }).allTextContents();
      const after = `${Date.now() - frozen} ms after it froze`;
      const banner = await ada.page.locator(".banner").textContent();
      if (banner !== said) console.log(`${after}: ${(said = banner)}`);
      if (Date.now() - frozen > KNOWN_MS) {
        assert.doesNotMatch(grade, /Excellent|Good/, after);
        await ada.page.getByText(/interrupted|Reconnecting/).waitFor({ timeout: 3_000 });
      }
      assert.ok(!others.some((it) => /muted/.test(it)), `${others} ${after}`);
      await sleep(500);
    }
    await ada.picture("frozen");
  } finally {
    server.child.kill("SIGCONT");
  }
  const back = Date.now();
  await ada.sees(2, BACK_MS);
  await ada.hears(ben, BACK_MS - (Date.now() - back));
  await ben.hears(ada, BACK_MS - (Date.now() - back));
  await ada.page.getByText(/interrupted|Reconnecting/).waitFor({ state: "hidden" });
  console.log(`heard and seen again ${Date.now() - back} ms after it went on`);
  const others = await ada.page.locator("#people li", { hasText: "Ben" }).allTextContents();
  assert.ok(!others.some((it) => /muted/.test(it)), others.join());
});
