import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { CAST, Person } from "../../lib/person.mjs";
import { sleep, until } from "../../lib/wait.mjs";

/** The server's time for a DTLS handshake. */
const CONNECT_MS = 10_000;
const SLACK_MS = 3_000;

/** mediasoup-client as it is: neither ICE nor DTLS ever completes, and the client asks for another transport. */
scenario("a transport that signaling connected and ICE never did is replaced after 10 s", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const [ada, ben] = CAST;
    const speaker = await Person.join(call, ada, { sends: ["mic"] });
    // As behind a firewall that lets no UDP through.
    way.become({ loss: 1 });
    const blocked = await Person.join(call, ben, { sends: [], ports: way.ports });
    const began = Date.now();
    const first = {
      send: await blocked.ask((client) => client.send.id),
      recv: await blocked.ask((client) => client.recv.id),
    };
    // Its reply comes before any media does, so the library goes on to produce over a path that is none.
    await blocked.do("publishTone", ben.tone);
    await until("both transports are connected by signaling", 5_000, async () => {
      const { connections } = await blocked.describe();
      return connections.every((state) => state === "connecting") || null;
    });

    for (const direction of ["send", "recv"])
      assert.deepEqual(await blocked.do("createTransport", direction), { code: "INVALID_STATE" }, direction);
    assert.ok(Date.now() - began < CONNECT_MS, "asked too late to be refused");
    await sleep(began + CONNECT_MS + SLACK_MS - Date.now());

    // Before the way opens: the browser still sends checks, and what connects late is not replaced.
    for (const direction of ["send", "recv"])
      assert.notEqual(await blocked.do("replaceTransport", direction), first[direction], direction);
    way.become({});
    await blocked.do("publishTone", ben.tone);
    await speaker.recognises(blocked, ["mic"]);
    await blocked.recognises(speaker, ["mic"]);
    assert.deepEqual((await blocked.describe()).connections, ["connected", "connected"]);
  } finally {
    way.close();
  }
});
