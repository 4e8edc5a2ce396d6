import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";

scenario("somebody who leaves is removed for the others, and nobody else", async (call) => {
  const [ada, ben, cleo] = await call.invite(3);
  await allRecogniseEachOther([ada, ben, cleo]);

  const leftAt = Date.now();
  await ada.do("request", "voice:leave", {});
  for (const other of [ben, cleo]) {
    const left = await other.seesEvent("voice:participant:left", leftAt);
    assert.equal(left.sessionId, ada.joined.sessionId);
  }

  await allRecogniseEachOther([ben, cleo]);
  assert.deepEqual((await ben.describe()).received, ["cleo camera", "cleo mic"]);
  assert.deepEqual((await cleo.describe()).received, ["ben camera", "ben mic"]);
  for (const other of [ben, cleo]) {
    assert.equal(
      (await other.eventsSince(leftAt, "voice:participant:left")).length,
      1,
      "one participant left",
    );
  }
});
