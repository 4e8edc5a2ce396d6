import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { withoutNamespaces } from "../lib/network.mjs";
import { callOfTwo, pathsOf } from "../lib/page.mjs";
import { besideARelay } from "../lib/relay.mjs";

scenario(
  "privacy mode goes through the relay, and others need not",
  async (call) => {
    const [ada, ben] = await callOfTwo(call, {
      ada: { token: await call.server.token("Ada", "pro", "--privacy-mode") },
      camera: true,
      signed: true,
    });
    await ada.hears(ben);
    await ben.hears(ada);

    await ada.press("Quality");
    await ada.page.getByText("Relay (TURN)").waitFor();
    await ben.press("Quality");
    await ben.page.getByText("Direct (UDP)").waitFor();
    const own = await pathsOf(ada);
    assert.ok(own.length > 0 && own.every(({ local }) => local === "relay"), JSON.stringify(own));
    // Nothing else was even gathered: it would tell the server where Ada is.
    assert.deepEqual(await ada.page.evaluate(() => window.candidatesGathered()), ["relay"]);
  },
  { start: besideARelay, skip: withoutNamespaces() },
);
