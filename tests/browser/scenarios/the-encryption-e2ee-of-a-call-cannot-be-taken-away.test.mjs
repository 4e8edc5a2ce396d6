import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { CONNECT_MS, PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";

const CHANNEL = "secret";
const REFUSED = /should be, and the server would not/;
const start = () => standalone({ api: true });

const negotiations = ({ page }) => page.evaluate(() => window.negotiations);

scenario("the encryption of a call cannot be taken away", async (call) => {
  await call.server.putChannel(CHANNEL, { tier: "pro", encryption: "endToEnd" });
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.join("Pro", CHANNEL);
  await ada.button("Encryption: End to end", { exact: true }).waitFor();

  assert.ok((await negotiations(ada)) > 0);

  // Everybody is to join again, without; Ada's browser does not.
  await call.server.putChannel(CHANNEL, { tier: "pro", encryption: "transport" });
  await ada.isTold(REFUSED, CONNECT_MS);
  await ada.button("Join call").waitFor();

  // Nor later; nothing is negotiated.
  await ada.page.reload();
  await ada.page.getByLabel("Your name").fill("Ada");
  await refused(ada);

  // Nor does somebody new whose link has a key.
  const ben = await PageUser.open(call, "Ben", { tone: 770, link: { channel: CHANNEL, key: "rgi1.whatever" } });
  await refused(ben);

  // Who knows nothing of it is in a call as ever.
  const cleo = await PageUser.open(call, "Cleo", { tone: 1130 });
  await cleo.join("Pro", CHANNEL);
  await cleo.button("Encryption: To the server", { exact: true }).waitFor();
}, { start });

async function refused(person) {
  const before = await negotiations(person);
  await person.page.getByLabel("Channel", { exact: true }).fill(CHANNEL);
  await person.button("Join call").click();
  await person.isTold(REFUSED, CONNECT_MS);
  assert.equal(await negotiations(person), before, "nothing is negotiated");
}
