import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";

scenario("a closed producer is removed for the others, and nothing else", async (call) => {
  const [ada, ben, cleo] = await call.invite(3);
  await allRecogniseEachOther([ada, ben, cleo]);

  const closedAt = Date.now();
  await ada.do("closeProducer", "camera");
  for (const other of [ben, cleo]) {
    const { userId, sessionId } = await other.seesEvent("voice:producerClosed", closedAt);
    assert.deepEqual({ userId, sessionId }, { userId: "ada", sessionId: ada.joined.sessionId });
  }

  assert.deepEqual((await ben.describe()).received, ["ada mic", "cleo camera", "cleo mic"]);
  assert.deepEqual((await cleo.describe()).received, ["ada mic", "ben camera", "ben mic"]);
  await Promise.all([
    allRecogniseEachOther([ben, cleo]),
    ben.recognises(ada, ["mic"]),
    cleo.recognises(ada, ["mic"]),
    ada.recognises(ben),
    ada.recognises(cleo),
  ]);
  for (const other of [ben, cleo]) {
    assert.equal(
      (await other.eventsSince(closedAt, "voice:producerClosed")).length,
      1,
      "one producer closed",
    );
  }
});
