import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { withoutNamespaces } from "../lib/network.mjs";
import { callOfTwo, PageUser, pathsOf } from "../lib/page.mjs";
import { withoutUdp } from "../lib/relay.mjs";
import { until } from "../lib/wait.mjs";

const TEST_MS = 25_000;
/** The contract's for one transport to connect. */
const TRY_MS = 10_000;

scenario(
  "a network without UDP gets through by the relay, over TCP",
  async (call) => {
    const cleo = await PageUser.open(call, "Cleo", { token: await call.server.token("Cleo", "pro") });
    await cleo.press("Test network");
    const result = cleo.page.locator(".checks li", { hasText: "Network" }).locator(".result");
    await until(
      async () => `the relay is found; it is: ${await result.textContent()}`,
      TEST_MS,
      async () => (/relay reachable/.test((await result.textContent()) ?? "") ? true : null),
    );

    const [ada, ben] = await callOfTwo(call, { signed: true });
    const joined = Date.now();
    await ada.hears(ben, TRY_MS);
    await ben.hears(ada, TRY_MS);
    console.log(`heard ${Date.now() - joined} ms after the join, all UDP dropped`);
    // Relays are tried beside every other way: each direction has the one transport it began with.
    for (const person of [ada, ben])
      assert.equal(await person.page.evaluate(() => window.transportsMade()), 2, person.name);
    await ben.press("Start camera");
    await ada.playsVideos(1);
    for (const person of [ada, ben]) {
      await person.press("Quality");
      await person.page.getByText("Relay (TURN)").waitFor();
      const paths = await pathsOf(person);
      assert.ok(
        paths.length > 0 &&
          paths.every(({ local, relayProtocol }) => local === "relay" && relayProtocol === "tcp"),
        JSON.stringify(paths),
      );
    }
  },
  { start: withoutUdp, skip: withoutNamespaces() },
);
