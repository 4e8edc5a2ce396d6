import assert from "node:assert/strict";
import { listenerScript } from "../../lib/bundle.mjs";
import { scenario } from "../../lib/call.mjs";
import { cluster } from "../../lib/cluster.mjs";
import { codeOfAll } from "../../lib/encryption.mjs";
import { launchFirefox } from "../../lib/firefox.mjs";
import { joinByKeyboard, PageUser } from "../../lib/page.mjs";
import { proxyTo } from "../../lib/proxy.mjs";

const CHANNEL = "club";
const FIREFOX_TONE = 1490;
/** Five cameras on the processors of a test. */
const CAMERA = { width: { exact: 320 }, height: { exact: 240 } };
const BACK_MS = 15_000;
const settings = { RAILGUN_CHANNELS_DEFAULT_ENCRYPTION: "endToEnd", RAILGUN_CHANNELS_DEFAULT_TIER: "pro" };

scenario("five people by two browsers stay in an encrypted channel (e2ee)", async (call) => {
  const firefox = await launchFirefox(FIREFOX_TONE);
  const proxy = await proxyTo(call.server.url);
  const said = timer();
  try {
    const ada = await join(call, "Ada", 500);
    const ben = await join(call, "Ben", 770, { url: proxy.url });
    const fay = await joinByFirefox(call, firefox, "Fay");
    const cleo = await join(call, "Cleo", 1130);
    const dan = await join(call, "Dan", 1850);
    const people = [ada, ben, cleo, dan, fay];
    const five = await codeOfAll(people);
    await allHear(people);
    said("five hear each other");

    for (const { page } of people) await page.click(".tool-camera");
    await Promise.all(people.map((one) => one.playsVideos(5)));
    said("five see each other");
    for (const one of [ada, cleo, dan]) await one.press("Stop camera");
    await cleo.press("Share screen");
    await Promise.all([ada, ben, dan, fay].map((one) => one.playsVideos(3)));
    await cleo.press("Stop sharing");
    said("a screen was seen");

    await dan.press("Mute");
    await Promise.all([ada, ben, cleo].map((one) => one.seesThat(dan, "muted")));
    await dan.press("Unmute");
    await ada.hears(dan);
    await dan.press("Leave");
    const four = await codeOfAll([ada, ben, cleo, fay], [five]);
    await allHear([ada, ben, cleo, fay]);
    said("one left");

    await cleo.page.reload();
    await cleo.page.locator("#name").fill("Cleo");
    await cleo.join("Pro", CHANNEL);
    const again = await codeOfAll([ada, ben, cleo, fay], [five, four]);
    await allHear([ada, ben, cleo, fay]);
    said("one reloaded the page");

    proxy.cut();
    await ben.page.getByText(/Reconnecting/).waitFor();
    await Promise.all([ada.hears(ben), ben.hears(ada)]);
    proxy.mend();
    await ben.page.getByText(/Reconnecting/).waitFor({ state: "hidden", timeout: BACK_MS });
    assert.equal(await codeOfAll([ada, ben, cleo, fay], [five, four]), again, "nobody came, and nobody left");
    said("one was back on another socket");

    await call.server.killNode(await call.server.nodeOf(CHANNEL));
    await codeOfAll([ada, ben, cleo, fay], [five, four, again]);
    await allHear([ada, ben, cleo, fay]);
    await Promise.all([ada, cleo].map((one) => one.playsVideos(2)));
    said("all were back on another node");
  } finally {
    proxy.close();
    await firefox.close();
  }
}, { start: () => cluster({ settings }), ms: 180_000 });

async function join(call, name, tone, options) {
  const person = await PageUser.open(call, name, {
    tone,
    camera: CAMERA,
    token: await call.server.token(name, "pro"),
    ...options,
  });
  await person.join("Pro", CHANNEL);
  await person.button("Encryption: End to end", { exact: true }).waitFor();
  return person;
}

async function joinByFirefox(call, firefox, name) {
  const page = await (await firefox.newContext()).newPage();
  const script = `window.withoutSpeakers = true;\nwindow.testSettings = ${JSON.stringify({ camera: CAMERA })};\n`;
  await page.evaluateOnNewDocument(script + (await listenerScript()));
  await page.goto(`${call.server.url}/#token=${await call.server.token(name, "pro")}&channel=${CHANNEL}`);
  return joinByKeyboard(call, page, name, FIREFOX_TONE);
}

/** Each everybody else. */
function allHear(people) {
  const pairs = people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other]));
  return Promise.all(pairs.map(([one, other]) => one.hears(other)));
}

function timer() {
  const start = Date.now();
  return (what) => console.log(`${what} after ${Date.now() - start} ms`);
}
