import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther, CAST, Person } from "../lib/person.mjs";

scenario("a Free participant's camera is refused, and the voice goes on", async (call) => {
  const ada = await Person.join(call, CAST[0], { sends: ["mic"] });
  const ben = await Person.join(call, CAST[1], { sends: ["mic"], tier: "free" });
  assert.equal(ben.joined.permissions.video, false);

  const refusal = await ben.ask(
    (client, colour) =>
      client.publishColour(colour).then(
        () => null,
        ({ code, details }) => ({ code, details }),
      ),
    ben.colour,
  );
  assert.deepEqual(refusal, { code: "CAPABILITY_REQUIRED", details: { capability: "VIDEO_CALLING" } });

  await allRecogniseEachOther([ada, ben], ["mic"]);
  assert.deepEqual((await ada.describe()).received, ["ben mic"]);
});
