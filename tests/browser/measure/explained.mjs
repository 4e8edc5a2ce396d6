/**
 * Whether the minutes of calls in pages are explained as they were: calls of three people in Chromium, a fault a call in every
 * third minute, drawn from the seed, and what `GET /v1/calls/{call}` tells of that minute and of the sound one before it.
 * Usage: node measure/explained.mjs [SEED] [ROUNDS] [CALLS]
 * With `PICTURES=1` the operators' page of each call and the Grafana dashboard, by Debian's Prometheus, are left in
 * `target/screenshots`.
 */
import { mkdir } from "node:fs/promises";
import { launchBrowser } from "../lib/browser.mjs";
import { watchedByPrometheus } from "../lib/dashboard.mjs";
import { draw } from "../lib/faults.mjs";
import { generator, impairedWayTo } from "../lib/impair.mjs";
import { PageUser, PICTURES } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { sleep } from "../lib/wait.mjs";

const [seed = 1, rounds = 6, calls = 2] = process.argv.slice(2).map(Number);
const random = generator(seed);
const PEOPLE = [["Ada", 500], ["Ben", 770], ["Cyd", 1_100]];
const MINUTE = 60_000;
/** A fault begins this long after its minute does, and ends this long before it, in milliseconds. */
const MARGIN_MS = 3_000;

const server = standalone({ calls: true });
const [notes, ways] = [[], []];
const call = { server, note: (line) => notes.push(line) };
const confusion = new Map();
let prometheus = null;
let [right, faults, sound, blamed] = [0, 0, 0, 0];
try {
  await server.ready();
  if (process.env.PICTURES) prometheus = await watchedByPrometheus(server);
  call.browser = await launchBrowser();
  const all = [];
  for (let at = 0; at < calls; at += 1) all.push(await people(`call-${at}`));
  for (let round = 0; round < rounds; round += 1) {
    await untilMinute();
    const quiet = minuteNow();
    await untilMinute();
    const bad = minuteNow();
    const drawn = draw(random, calls);
    const shared = drawn[0].isShared ? [await begun(drawn[0], { node: server.programs[0].child.pid })] : [];
    const own = shared.length > 0 ? [] : await Promise.all(drawn.map((fault, at) => begun(fault, all[at][fault.at])));
    await Promise.all([...shared, ...own].map((end) => end()));
    await untilMinute(MARGIN_MS * 4);
    for (const [at, fault] of drawn.entries()) await judge(`call-${at}`, fault, quiet, bad);
  }
  if (process.env.PICTURES) await pictures();
} catch (error) {
  console.error([...notes.slice(-60), server.log].join("\n"));
  throw error;
} finally {
  await call.browser?.close();
  for (const way of ways) way.close();
  await server.stop();
  await prometheus?.remove();
}
console.log(`seed ${seed}, ${rounds} rounds of ${calls} calls: ${right} of ${faults} faults told right; somebody blamed in ${blamed} of ${sound} sound minutes`);
for (const [line, count] of [...confusion].sort()) console.log(`${String(count).padStart(4)}  ${line}`);

/** Three in a channel, the first with a camera; each with a way of its own. */
async function people(channel) {
  const seats = [];
  for (const [name, tone] of PEOPLE) {
    const way = await impairedWayTo(server);
    ways.push(way);
    const token = await server.token(`${name}-${channel}`, "pro");
    const user = await PageUser.open(call, name, { tone, rhythm: "speech", token, ports: way.ports });
    await user.join("Pro", channel);
    seats.push({ user, way });
  }
  await seats[0].user.press("Start camera");
  await seats[1].user.playsVideos(1);
  return seats;
}

/** Begins a fault; gives a function that waits until it is over and undoes it. */
async function begun({ begin, lasts = MINUTE, random }, victim) {
  await sleep(MARGIN_MS);
  const end = await begin(victim, random);
  const rest = MINUTE - (Date.now() % MINUTE) - MARGIN_MS;
  return async () => {
    await sleep(Math.min(lasts, rest));
    await end();
  };
}

/** A timer may wake a little early, and the minute would be the one before. */
function untilMinute(after = 100) {
  return sleep(MINUTE - (Date.now() % MINUTE) + after);
}

function minuteNow() {
  return Math.floor(Date.now() / MINUTE);
}

async function documentOf(channel) {
  const { calls: [latest] } = await server.read(`calls?channel=${channel}`);
  return server.read(`calls/${latest.call}`);
}

async function judge(channel, { name, told, at }, quiet, bad) {
  const { participants, minutes } = await documentOf(channel);
  const whose = (id) => participants.find(({ participant }) => participant === id)?.userId?.split("-")[0] ?? "";
  const of = (minute) => {
    const found = minutes.find((it) => Math.floor(Date.parse(it.at) / MINUTE) === minute);
    return (found?.findings ?? []).map(({ side, cause, participant }) => `${side} ${cause} ${whose(participant)}`.trim()).sort();
  };
  const wanted = `${told} ${at === null ? "" : PEOPLE[at][0]}`.trim();
  const answer = of(bad);
  const isRight = answer.length === 1 && answer[0] === wanted;
  faults += 1;
  right += isRight;
  sound += 1;
  if (of(quiet).length > 0) blamed += 1;
  const line = `${told}: ${isRight ? "so" : answer.join(", ") || "nothing"}`;
  confusion.set(line, (confusion.get(line) ?? 0) + 1);
  const before = of(quiet).length > 0 ? `; of the sound minute ${of(quiet).join(", ")}` : "";
  console.log(`${channel} ${name}: wanted ${wanted}; told ${answer.join(", ") || "nothing"}${before}`);
  if (!isRight) console.log(JSON.stringify(minutes.find((it) => Math.floor(Date.parse(it.at) / MINUTE) === bad)));
}

/** The operators' page, as it draws each call. */
async function pictures() {
  const page = await call.browser.newPage({ viewport: { width: 1100, height: 700 } });
  await mkdir(PICTURES, { recursive: true });
  for (let at = 0; at < calls; at += 1) {
    await page.goto(`http://${server.operators}/calls`);
    await page.getByLabel("Operator's token").fill(server.operatorToken);
    await page.getByLabel("id of a call").fill((await documentOf(`call-${at}`)).call);
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("heading", { level: 2 }).waitFor();
    await page.screenshot({ path: `${PICTURES}calls-${at}.png`, fullPage: true });
  }
  const empty = await prometheus.draw(call.browser, `${PICTURES}dashboard.png`);
  console.log(`panels of the dashboard without a line: ${empty.join(", ") || "none"}`);
}
