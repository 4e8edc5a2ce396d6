import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { withInterfaces } from "../../lib/multihomed.mjs";
import { withoutNamespaces } from "../../lib/network.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { until } from "../../lib/wait.mjs";

const STAY_MS = 4_000;
const HANDSHAKE_MS = 30_000;
const PROOF_MS = 15_000;

const metric = async (call, name) => (await call.server.metrics())[`railgun_media_${name}_total`];
/** Each person has one to send and one to receive. */
const TRANSPORTS = 4;

/** One more interface, which Chromium prefers as soon as it has asked there. */
async function move(call) {
  call.server.openInterface();
  await new Promise((resolve) => setTimeout(resolve, STAY_MS));
}

// Five are moved to one after the other, so that three are among them.
for (const interfaces of [2, 5]) {
  scenario(
    `a host with ${interfaces} interfaces loses no packet when its browser changes its mind between them`,
    async (call) => {
      // The first move is among the first words: as soon as Ben's first handshake is done.
      // What is not connected yet may begin at the new address, without a change.
      const isBen = async () => ((await metric(call, "dtls_handshakes")) >= TRANSPORTS - 1 ? true : null);
      const first = until("Ben's handshake", HANDSHAKE_MS, isBen).then(() => move(call));
      const [people] = await Promise.all([callOfTwo(call, { camera: true, signed: true }), first]);
      const [ada, ben] = people;
      while (call.server.closed.length > 0) await move(call);
      await ada.hears(ben);
      await ben.hears(ada);
      for (const person of people) {
        const streams = await person.page.evaluate(() => window.packetsOfStreams());
        for (const kind of person === ada ? ["audio", "video"] : ["audio"]) {
          const received = streams.filter((it) => it.kind === kind).map((it) => it.packetsReceived);
          assert.ok(Math.max(...received) > 100, JSON.stringify(streams));
        }
        for (const { packetsLost } of streams) assert.equal(packetsLost, 0, JSON.stringify(streams));
      }
      // A receiver of speech alone proves with its next report, seconds later.
      const areProved = async () => ((await metric(call, "proved_addresses")) >= TRANSPORTS ? true : null);
      await until("the proofs", PROOF_MS, areProved);
      const now = await call.server.metrics();
      const of = (name) => now[`railgun_media_${name}_total`];
      const got = await Promise.all(people.map(({ page }) => page.evaluate(() => window.packetsOfStreams())));
      const changes = { begun: of("address_changes"), proved: of("proved_addresses") };
      console.log(`${interfaces} interfaces: ${JSON.stringify(changes)} changes of address, ${JSON.stringify(got)}`);
      assert.ok(changes.begun >= TRANSPORTS, "there were no changes to lose anything by");
      assert.equal(of("dropped_packets"), 0);
      assert.equal(of("wrong_guesses"), 0);
      assert.equal(of("refused_addresses"), 0);
    },
    { start: withInterfaces(interfaces), skip: withoutNamespaces() },
  );
}
