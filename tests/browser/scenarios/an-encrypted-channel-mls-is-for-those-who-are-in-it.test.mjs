import assert from "node:assert/strict";
import { listenerScript } from "../lib/bundle.mjs";
import { scenario } from "../lib/call.mjs";
import { codeOfAll } from "../lib/encryption.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { CONNECT_MS, joinByKeyboard, PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";

const CHANNEL = "club";
const FIREFOX_TONE = 1490;

/** Nobody has a link with a key: the members agree on keys by MLS, anew whenever somebody comes or leaves. */
scenario("an encrypted channel (mls) is for those who are in it", async (call) => {
  await call.server.putChannel(CHANNEL, { tier: "pro", encryption: "endToEnd" });
  const [ada, ben, cleo] = await Promise.all([join(call, "Ada", 500), join(call, "Ben", 770), join(call, "Cleo", 1130)]);
  const three = await codeOfAll([ada, ben, cleo]);
  await allHear([ada, ben, cleo]);
  await ben.press("Start camera");
  for (const other of [ada, cleo]) await other.playsVideos(1);

  await cleo.press("Leave");
  const two = await codeOfAll([ada, ben], [three]);
  await allHear([ada, ben]);
  await ada.playsVideos(1);

  // A tab that says nothing any more.
  await ben.page.close();
  await ada.sees(1, CONNECT_MS);
  const one = await codeOfAll([ada], [three, two]);

  const dan = await join(call, "Dan", 1130);
  const pair = await codeOfAll([ada, dan], [three, two, one]);
  await allHear([ada, dan]);

  const firefox = await launchFirefox(FIREFOX_TONE);
  try {
    const fay = await joinByFirefox(call, firefox, "Fay");
    await allHear([ada, dan, fay]);
    await ada.press("Start camera");
    await fay.playsVideos(1);
    await codeOfAll([ada, dan, fay], [pair]);
    await fay.page.click(".tool-leave");
    await allHear([ada, dan]);
  } finally {
    await firefox.close();
  }
}, { start: () => standalone({ api: true }) });

async function join(call, name, tone) {
  const person = await PageUser.open(call, name, { tone });
  await person.join("Pro", CHANNEL);
  assert.equal(await person.page.evaluate(() => sessionStorage.getItem("key")), null);
  await person.button("Encryption: End to end", { exact: true }).waitFor();
  return person;
}

async function joinByFirefox(call, firefox, name) {
  const page = await (await firefox.newContext()).newPage();
  await page.evaluateOnNewDocument(`window.withoutSpeakers = true;\n${await listenerScript()}`);
  await page.goto(`${call.server.url}/#secret=${call.server.secret}&channel=${CHANNEL}`);
  return joinByKeyboard(call, page, name, FIREFOX_TONE);
}

async function allHear(people) {
  for (const one of people) for (const other of people) if (one !== other) await one.hears(other);
}
