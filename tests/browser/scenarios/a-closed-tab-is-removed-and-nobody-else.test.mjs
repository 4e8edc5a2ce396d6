import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";

scenario("a closed tab is removed for the others, and nobody else", async (call) => {
  const [ada, ben, cleo] = await call.invite(3);
  await allRecogniseEachOther([ada, ben, cleo]);

  const closedAt = Date.now();
  await ada.page.close();
  for (const other of [ben, cleo]) {
    const left = await other.seesEvent("voice:participant:left", closedAt);
    assert.equal(left.sessionId, ada.joined.sessionId);
  }

  await allRecogniseEachOther([ben, cleo]);
  assert.deepEqual((await ben.describe()).received, ["cleo camera", "cleo mic"]);
  assert.deepEqual((await cleo.describe()).received, ["ben camera", "ben mic"]);
});
