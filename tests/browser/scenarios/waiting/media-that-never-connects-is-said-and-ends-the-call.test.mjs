import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../../lib/axe.mjs";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { nothingOverflows } from "../../lib/overflow.mjs";
import { PageUser } from "../../lib/page.mjs";
import { sleep, until } from "../../lib/wait.mjs";

/** The contract: 10 s to connect, and twice a new transport after 1 s. */
const CONNECT_MS = 10_000;
const OVER_MS = 3 * CONNECT_MS + 2 * 1_000;
const SLACK_MS = 4_000;

/** A call of two of whom one is as behind a firewall that lets no UDP through; with when that one joined. */
async function benIsCutOff(call, way) {
  way.become({ loss: 1 });
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.join();
  const ben = await PageUser.open(call, "Ben", { tone: 770, ports: way.ports, ...CHECKED });
  await ben.join();
  return [ada, ben, Date.now()];
}

scenario("media that never connects is said, and ends the call", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben, joined] = await benIsCutOff(call, way);

    await ben.page.getByText(/not getting through yet/).waitFor({ timeout: 4_000 });
    console.log(`said ${Date.now() - joined} ms after the join`);
    await ben.press("Quality");
    for (const end = Date.now() + 15_000; Date.now() < end; await sleep(500)) {
      const said = await ben.page.locator(".quality").textContent();
      assert.doesNotMatch(said, /Excellent|Good|Fair/, "there is nothing to praise");
    }
    assert.match(await ben.page.locator("#stats").textContent(), /Unknown/);
    await nothingOverflows(ben, "media-never-connects");
    await isAccessible(ben, "media that never connects");
    // Who is muted said so; nobody did.
    assert.equal(await ben.page.locator("#people li", { hasText: "Ada" }).getByText("muted").count(), 0);

    const told = ben.page.locator("#toasts", { hasText: /Sound and video cannot get through/ });
    await told.waitFor({ timeout: joined + OVER_MS + SLACK_MS - Date.now() });
    const took = Date.now() - joined;
    console.log(`given up ${took} ms after the join`);
    assert.ok(took > OVER_MS - SLACK_MS, `given up after ${took} ms, before the last try`);
    await ben.button("Join call").waitFor();
    // Each way had three transports; some more connections asked the browser for its kind of network.
    const made = await ben.page.evaluate(() => window.connectionsMade);
    assert.ok(made > 3 * 2, `${made} connections`);
    await ada.sees(1);

    // The network lets UDP through again: the same page can join.
    way.become({});
    await ben.join();
    await ben.hears(ada);
    await ada.hears(ben);
  } finally {
    way.close();
  }
});

scenario("media that connects at the second try is a call", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben, joined] = await benIsCutOff(call, way);
    const banner = ben.page.getByText(/not getting through yet/);
    await banner.waitFor({ timeout: 4_000 });
    const first = await ben.page.evaluate(() => window.connectionsMade);
    await until("the first try is over", CONNECT_MS + SLACK_MS, async () =>
      (await ben.page.evaluate(() => window.connectionsMade)) > first ? true : null,
    );
    way.become({});
    await ben.hears(ada);
    await ada.hears(ben);
    await banner.waitFor({ state: "hidden" });
    assert.ok(Date.now() - joined > CONNECT_MS);
    await ada.sees(2);
  } finally {
    way.close();
  }
});
