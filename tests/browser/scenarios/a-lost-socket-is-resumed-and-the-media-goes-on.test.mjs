import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo, connectionsOf } from "../lib/page.mjs";
import { proxyTo } from "../lib/proxy.mjs";
import { sleep } from "../lib/wait.mjs";

const OUTAGE_MS = 3_000;
const BACK_MS = 15_000;

scenario("a lost socket is resumed and the media goes on", async (call) => {
  const proxy = await proxyTo(call.server.url);
  try {
    const token = await call.server.token("Ben", "pro");
    const [ada, ben] = await callOfTwo(call, { ben: { token, url: proxy.url }, camera: true });
    await ada.hears(ben);
    const before = await connectionsOf(ada, ben);

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
    await ada.seesThat(ben, "muted");
    await ben.press("Unmute");
    await ada.hears(ben);
    await ben.hears(ada);
    await ada.playsVideos(1);
    assert.deepEqual(await connectionsOf(ada, ben), before, "the same streams over the same connections");
  } finally {
    proxy.close();
  }
});
