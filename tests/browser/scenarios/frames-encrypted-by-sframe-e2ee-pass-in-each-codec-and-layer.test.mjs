import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { scenario } from "../lib/call.mjs";
import { getsEachLayerInTurn, scalable, simulcast } from "../lib/layers.mjs";
import { CAST, CHANNEL, Person } from "../lib/person.mjs";
import { standalone } from "../lib/server.mjs";

const [ADA, BEN, CLEO] = CAST;
const start = () => standalone({ api: true });
const av1 = { mimeType: "video/AV1", encodings: [{ maxBitrate: 600_000, scalabilityMode: "L1T2" }], startBitrate: 1_000, moving: true };

/** Each layer; every one from every other is shown without encryption. */
const TURNS = [0, 1, 2];

/** As `createInvite` makes it. */
function invite() {
  const channel = createHash("sha256").update(CHANNEL).digest().subarray(0, 16);
  const head = Buffer.from([1, 0, 0, 4, 0, 0, 0, 1]);
  return `rgi1.${Buffer.concat([head, channel, randomBytes(32)]).toString("base64url")}`;
}

scenario("frames encrypted by SFrame pass in each codec and layer", async (call) => {
  await call.server.putChannel(CHANNEL, { tier: "pro", encryption: "endToEnd" });
  const e2ee = { invite: invite() };
  const ada = await Person.join(call, ADA, { sends: ["mic"], e2ee, size: null });
  const ben = await Person.join(call, BEN, { sends: [], e2ee });
  // A tap: what the server has goes to a decoder as it is.
  const tap = await Person.join(call, CLEO, { sends: [], e2ee: {} });
  for (const [how, hasLayers] of [
    [simulcast("video/VP8"), true],
    [simulcast("video/H264"), true],
    [scalable("video/VP9", "L3T3_KEY"), true],
    [av1, false],
  ]) {
    const since = Date.now();
    await ada.do("publishColour", ada.colour, how);
    await ben.recognises(ada);
    if (hasLayers) await getsEachLayerInTurn(ben, ada, how.mimeType, TURNS);
    const tapped = await tap.do("measure", ada.userId, since);
    assert.equal(tapped.tone, null, `a tone is heard at the server: ${tapped.tone}`);
    assert.ok(tapped.frames === 0 || !isRed(tapped.colour), `${how.mimeType} is seen at the server: ${tapped.colour}`);
    await ada.do("closeProducer", "camera");
  }
  const { failures } = await ben.describe();
  assert.deepEqual(failures, []);
}, { start });

const isRed = (colour) => colour !== null && ADA.colour.every((value, index) => Math.abs(value - colour[index]) <= 60);
