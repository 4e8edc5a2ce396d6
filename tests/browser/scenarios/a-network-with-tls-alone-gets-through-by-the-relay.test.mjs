import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { withoutNamespaces } from "../lib/network.mjs";
import { callOfTwo, pathsOf } from "../lib/page.mjs";
import { withTlsAlone } from "../lib/relay.mjs";

/** The contract's for one transport to connect. */
const TRY_MS = 10_000;

/** `turns:` on port 443, as `railgun init relay` sets it up: what a proxy takes for HTTPS. */
scenario(
  "a network with TLS alone gets through by the relay, over TURN in TLS",
  async (call) => {
    const [ada, ben] = await callOfTwo(call, { signed: true });
    await ada.hears(ben, TRY_MS);
    await ben.hears(ada, TRY_MS);
    for (const person of [ada, ben]) {
      await person.press("Quality");
      await person.page.getByText("Relay (TURN)").waitFor();
      const paths = await pathsOf(person);
      const isTls = ({ local, relayProtocol }) => local === "relay" && relayProtocol === "tls";
      assert.ok(paths.length > 0 && paths.every(isTls), JSON.stringify(paths));
    }
  },
  { start: withTlsAlone, skip: withoutNamespaces() },
);
