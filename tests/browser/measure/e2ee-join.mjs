/**
 * How much longer a join takes in a channel that is encrypted end to end (keys by MLS): from the click on "Join call"
 * until somebody is heard, in turns with a channel that is not, each time by a browser that was never there.
 * Usage: node measure/e2ee-join.mjs [TIMES] [--steps]
 */
import { launchBrowser } from "../lib/browser.mjs";
import { PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { joinOnce, spreadOf, tellSteps, tookOf } from "./joining.mjs";

const times = Number(process.argv[2] ?? 15);
const CHANNELS = { encrypted: "club", plain: "lobby" };
const server = standalone({ api: true });
await server.ready();
const browser = await launchBrowser();
const call = { server, browser, note: () => undefined };
const took = { encrypted: [], plain: [] };
const last = {};
try {
  await server.putChannel(CHANNELS.encrypted, { tier: "pro", encryption: "endToEnd" });
  await server.putChannel(CHANNELS.plain, { tier: "pro" });
  for (const [how, channel] of Object.entries(CHANNELS)) {
    const ada = await PageUser.open(call, `Ada ${how}`, { tone: 500, rhythm: "dense" });
    await ada.join("Pro", channel);
  }
  for (let turn = 0; turn < times; turn += 1) {
    for (const how of turn % 2 === 0 ? ["encrypted", "plain"] : ["plain", "encrypted"]) {
      last[how] = await joinOnce(call, CHANNELS[how]);
      took[how].push(tookOf(last[how]));
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
for (const how of ["plain", "encrypted"]) {
  const [median, fastest, slowest] = spreadOf(took[how]);
  console.log(`${how}: from click to first sound ${median} ms in the middle of ${times} (${fastest} to ${slowest})`);
}
const [more] = spreadOf(took.encrypted.map((value, turn) => value - took.plain[turn]));
console.log(`encrypted takes ${more} ms more, in the middle of ${times} pairs`);
if (process.argv.includes("--steps"))
  for (const how of ["plain", "encrypted"]) {
    console.log(how);
    tellSteps(last[how]);
  }
