/**
 * How long it takes from the click on "Join call" until somebody is heard, with server and browsers on this
 * machine. Usage: node measure/first-sound.mjs [TIMES] [--steps]
 */
import { launchBrowser } from "../lib/browser.mjs";
import { PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { joinOnce, spreadOf, tellSteps, tookOf } from "./joining.mjs";

const times = Number(process.argv[2] ?? 15);
const server = standalone();
await server.ready();
const browser = await launchBrowser();
const call = { server, browser, note: () => undefined };
try {
  const ada = await PageUser.open(call, "Ada", { tone: 500, rhythm: "dense" });
  await ada.join();
  const took = [];
  let last;
  for (let turn = 0; turn < times; turn += 1) {
    last = await joinOnce(call);
    took.push(tookOf(last));
  }
  const [median, fastest, slowest] = spreadOf(took);
  console.log(`from click to first sound: ${median} ms in the middle of ${times} (${fastest} to ${slowest})`);
  if (process.argv.includes("--steps")) tellSteps(last);
} finally {
  await browser.close();
  await server.stop();
}
