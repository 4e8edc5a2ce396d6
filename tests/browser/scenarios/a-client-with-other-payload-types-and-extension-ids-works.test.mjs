import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther, CAST, Person } from "../lib/person.mjs";

scenario("a client with other payload types and extension ids works", async (call) => {
  const ada = await Person.join(call, CAST[0]);
  const ben = await Person.join(call, CAST[1], { permuted: true });

  const [usual, permuted] = await Promise.all([ada, ben].map((person) => person.ask(numbers)));
  for (const source of ["mic", "camera"]) {
    assert.deepEqual(Object.keys(permuted[source].extensions), Object.keys(usual[source].extensions));
    assert.notDeepEqual(
      permuted[source].payloadTypes,
      usual[source].payloadTypes,
      `${source}: payload types`,
    );
    assert.notDeepEqual(permuted[source].extensions, usual[source].extensions, `${source}: extension ids`);
  }
  await allRecogniseEachOther([ada, ben]);
});

/** The numbers under which a client sends. */
function numbers(client) {
  const ofProducer = ({ rtpParameters: { codecs, headerExtensions } }) => ({
    payloadTypes: codecs.map(({ mimeType, payloadType }) => [mimeType, payloadType]),
    extensions: Object.fromEntries(headerExtensions.map(({ uri, id }) => [uri, id]).sort()),
  });
  return { mic: ofProducer(client.producers.mic), camera: ofProducer(client.producers.camera) };
}
