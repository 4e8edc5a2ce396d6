import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { proxyTo } from "../lib/proxy.mjs";
import { sleep } from "../lib/wait.mjs";

const OUTAGE_MS = 3_000;
const BACK_MS = 15_000;

scenario("a lost socket is resumed and the media goes on", async (call) => {
  const proxy = await proxyTo(call.server.url);
  try {
    const ada = await PageUser.open(call, "Ada", { tone: 500 });
    const token = await call.server.token("Ben", "pro");
    const ben = await PageUser.open(call, "Ben", { tone: 770, token, url: proxy.url });
    await ada.join();
    await ben.join();
    await ben.press("Start camera");
    await ada.playsVideos(1);
    await ada.hears(ben);
    const before = await state(ada, ben);

    proxy.cut();
    await ben.page.getByText(/Reconnecting/).waitFor();
    await sleep(OUTAGE_MS);
    // All the while they hear and see each other, and Ada is told nothing of it.
    await ada.hears(ben);
    await ben.hears(ada);
    await ada.sees(2);
    // Whoever mutes now is muted for all when the socket is back.
    await ben.press("Mute");
    proxy.mend();

    await ben.page.getByText(/Reconnecting/).waitFor({ state: "hidden", timeout: BACK_MS });
    await ada.page.locator("#people").getByText("muted").waitFor();
    await ben.press("Unmute");
    await ada.hears(ben);
    await ben.hears(ada);
    await ada.playsVideos(1);
    assert.deepEqual(await state(ada, ben), before, "the same streams over the same connections");
  } finally {
    proxy.close();
  }
});

/** What would change with new producers or a new handshake. */
async function state(ada, ben) {
  return {
    received: await ada.page.evaluate(() => window.voicesReceived()),
    connections: await ben.page.evaluate(() => window.connectionsMade),
  };
}
