import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../../lib/axe.mjs";
import { clientScript } from "../../lib/bundle.mjs";
import { scenario } from "../../lib/call.mjs";
import { nothingOverflows } from "../../lib/overflow.mjs";
import { callOfTwo, CONNECT_MS } from "../../lib/page.mjs";

/** The room takes six videos. */
const NAMES = ["Grace", "Alan", "Katherine", "Linus", "Margaret", "Dennis"];
const COLOUR = [90, 110, 140];
const TURN_MS = 10_000;

scenario("who waits for a video place gets it when one is free", async (call) => {
  const [ada, ben] = await callOfTwo(call, { ada: CHECKED, ben: { ...CHECKED, colorScheme: "dark" } });
  const crowd = await (await call.browser.newContext()).newPage();
  await crowd.goto(`${call.server.url}/healthz`);
  await crowd.evaluate(await clientScript());
  for (const name of NAMES) {
    const options = {
      userId: name,
      token: await call.server.token(name, "pro"),
      mode: "ack",
      channel: "lobby",
    };
    await crowd.evaluate(
      async ([join, colour]) => {
        const client = window.newClient();
        await client.joinOnly(join);
        await client.publishColour(colour);
        (window.all ??= []).push(client);
      },
      [options, COLOUR],
    );
  }
  await ada.playsVideos(6);

  const place = (text) => ada.page.locator(".queue", { hasText: text });
  await ben.press("Start camera");
  await ben.page.getByText("Video slots full (6/6) — You're #1 in queue").waitFor();
  await ada.press("Start camera");
  await place("Video slots full (6/6) — You're #2 in queue").waitFor();
  await ada.picture("queue");
  for (const person of [ada, ben]) await isAccessible(person, "the queue");
  await nothingOverflows(ada, "queue");
  assert.equal(await ada.page.evaluate(() => window.camerasAsked), 0, "nobody captures in vain");

  // Whoever gives up makes room for the next in line.
  await ben.press("Leave queue");
  await place("You're #1 in queue").waitFor();
  await crowd.evaluate(() => window.all[0].closeProducer("camera"));
  await ada.button("Stop camera").waitFor({ timeout: TURN_MS });
  await place(/./).waitFor({ state: "hidden" });
  await ben.playsVideos(6);
  await ben.sees(8, CONNECT_MS);
});
