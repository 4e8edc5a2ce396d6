/**
 * Counts false alarms in a call of two in which nothing is wrong and hardly anybody is heard: microphones that are on and
 * give nothing, one that is muted, one who is deafened, in turn. Usage: node measure/quiet.mjs [MINUTES]
 */
import { launchBrowser } from "../lib/browser.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { sleep } from "../lib/wait.mjs";

const minutes = Number(process.argv[2] ?? 30);
const PHASE_MS = 30_000;
const LOOK_MS = 200;

const server = standalone();
await server.ready();
const browser = await launchBrowser();
const call = { server, browser, note: () => undefined };
const alarms = [];
let looks = 0;
try {
  const people = await callOfTwo(call);
  const [ada, ben] = people;
  for (const person of people) {
    await person.press("Settings");
    await person.page.getByLabel("Microphone volume").fill("0");
    await person.page.keyboard.press("Escape");
  }
  const phases = [
    ["both are silent", []],
    ["Ben is muted", [[ben, "Mute"]], [[ben, "Unmute"]]],
    ["Ada is deafened", [[ada, "Deafen"]], [[ada, "Undeafen"]]],
  ];
  const end = Date.now() + minutes * 60_000;
  for (let turn = 0; Date.now() < end; turn += 1) {
    const [what, begin, after = []] = phases[turn % phases.length];
    for (const [person, button] of begin) await person.press(button);
    for (const over = Date.now() + PHASE_MS; Date.now() < over; await sleep(LOOK_MS)) {
      for (const { name, page } of people) {
        looks += 1;
        const said = await page.$$eval(".banner, .trouble", (all) => all.map((it) => it.textContent).filter(Boolean));
        const grade = await page.locator(".quality").textContent();
        if (said.length > 0 || /Poor|Fair/.test(grade)) alarms.push(`${what}, ${name}: ${[grade, ...said].join("; ")}`);
      }
    }
    for (const [person, button] of after) await person.press(button);
  }
} finally {
  await browser.close();
  await server.stop();
}
console.log(`${minutes} quiet minutes: ${alarms.length} false alarms in ${looks} looks`);
for (const alarm of new Set(alarms)) console.log(`  ${alarm}`);
