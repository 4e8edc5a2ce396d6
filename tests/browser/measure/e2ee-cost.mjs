/**
 * What end-to-end encryption costs Chromium: CPU time of the threads of a page that sends a 720p camera at 30 pictures a
 * second and receives five small ones, in turns without encryption, with a transform that only passes frames (what the
 * browser takes for it), and with the SDK's. The five are another page, in a process of its own.
 * Usage: node measure/e2ee-cost.mjs [TURNS] [SECONDS] [--sound] [--worker=NAME=SOURCE]... [--transform=NAME=SOURCE]...
 * `--sound`: each camera with a microphone. Measured in the same turns: `--worker`, another worker of the SDK's kind, and
 * `--transform`, one that is told nothing. `--only=NAME,NAME`: these and without encryption.
 */
import { build } from "esbuild";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "../lib/browser.mjs";
import { encryptionWorkerScript } from "../lib/bundle.mjs";
import { quantile } from "../lib/quantile.mjs";
import { sleep, until } from "../lib/wait.mjs";

const numbers = process.argv.slice(2).filter((it) => /^\d+$/.test(it)).map(Number);
const [turns = 5, seconds = 8] = numbers;
const sound = process.argv.includes("--sound");
const PEOPLE = 5;
/** Of the kernel's clock, USER_HZ. */
const TICK_MS = 10;
/** Threads that every way needs for media: their noise is larger than what is measured. */
const MEDIA = /ThreadPoolPrese|Encod|Decod|Codec|VideoFrame|Audio|Compositor|Raster|Viz|Gpu/i;
const PASS = "onrtctransform = ({ transformer: { readable, writable } }) => void readable.pipeTo(writable).catch(() => undefined);";

const median = (values) => quantile(values, 0.5);

const page = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><body>"));
await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));
const { port } = page.address();
const client = await bundled(fileURLToPath(new URL("../client/e2ee-cost.js", import.meta.url)));
const ways = {
  none: { script: null },
  pass: { script: PASS },
  sdk: { script: await encryptionWorkerScript(), sdk: true },
};
for (const [, kind, name, path] of process.argv.map((it) => /^--(worker|transform)=(\w+)=(.+)$/.exec(it)).filter(Boolean))
  ways[name] = { script: await bundled(path), sdk: kind === "worker" };
const only = process.argv.map((it) => /^--only=(.+)$/.exec(it)?.[1].split(",")).find(Boolean);
const names = Object.keys(ways).filter((name) => !only || name === "none" || only.includes(name));
const runs = Object.fromEntries(names.map((name) => [name, []]));
const browser = await launchBrowser();
try {
  for (let turn = 0; turn < turns; turn += 1) {
    for (let at = 0; at < names.length; at += 1) {
      const name = names[(turn + at) % names.length];
      runs[name].push(await measure(ways[name]));
    }
  }
} finally {
  await browser.close();
  page.close();
}
report();

async function bundled(path) {
  const options = { bundle: true, write: false, format: "iife", target: "chrome120", logLevel: "error" };
  const { outputFiles } = await build({ entryPoints: [path], ...options });
  return outputFiles[0].text;
}

async function measure(way) {
  const context = await browser.newContext();
  const before = new Set(await renderers());
  const measured = await opened(context, "127.0.0.1");
  const pids = (await renderers()).filter((pid) => !before.has(pid));
  const others = await opened(context, "localhost");
  const invite = await measured.evaluate(() => window.side.invite());
  const start = (side, isMeasured) => side.evaluate((options) => window.side.start(options), { ...way, invite, isMeasured, sound });
  await Promise.all([start(measured, true), start(others, false)]);
  for (let index = 0; index <= PEOPLE; index += 1) {
    const [from, to] = index === 0 ? [measured, others] : [others, measured];
    const offer = await from.evaluate((at) => window.side.offer(at), index);
    const answer = await to.evaluate(([at, given]) => window.side.answer(at, given), [index, offer]);
    await from.evaluate(([at, given]) => window.side.take(at, given), [index, answer]);
  }
  await Promise.all([measured, others].map((side) => side.evaluate(() => window.side.negotiated())));
  const frames = () => measured.evaluate(() => window.side.frames());
  await until("pictures arrive", 20_000, async () => ((await frames()).videoReceived > 60 * PEOPLE ? true : null));
  const [first, atStart, at] = [await frames(), await threads(pids), performance.now()];
  await sleep(seconds * 1_000);
  const [atEnd, took] = [await threads(pids), (performance.now() - at) / 1_000];
  const last = await frames();
  await context.close();
  const cpu = {};
  for (const [id, { name, ms }] of atEnd) cpu[name] = (cpu[name] ?? 0) + (ms - (atStart.get(id)?.ms ?? 0)) / took / 10;
  cpu.all = Object.entries(cpu).reduce((sum, [name, value]) => sum + (MEDIA.test(name) ? 0 : value), 0);
  const rates = Object.fromEntries(Object.keys(last).map((key) => [key, (last[key] - first[key]) / took]));
  return { cpu, rates };
}

async function opened(context, host) {
  const tab = await context.newPage();
  await tab.goto(`http://${host}:${port}/`);
  await tab.evaluate(client);
  return tab;
}

async function renderers() {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
}

/** By thread, its name and the milliseconds that it ran. */
async function threads(pids) {
  const all = new Map();
  for (const pid of pids) {
    for (const id of await readdir(`/proc/${pid}/task`).catch(() => [])) {
      const stat = await readFile(`/proc/${pid}/task/${id}/stat`, "utf8").catch(() => null);
      if (!stat) continue;
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      all.set(id, { name: name.replace(/[\d/:]+$/, ""), ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS });
    }
  }
  return all;
}

function report() {
  const value = (number, width = 8) => number.toFixed(2).padStart(width);
  const of = (name, key) => median(runs[name].map(({ cpu }) => cpu[key] ?? 0));
  const rate = (name, key) => median(runs[name].map(({ rates }) => rates[key]));
  const all = [...new Set(Object.values(runs).flat().flatMap(({ cpu }) => Object.keys(cpu)))].sort();
  console.log(`CPU by thread in % of one core, median of ${turns} turns of ${seconds} s:`);
  console.log("".padEnd(20), ...names.map((name) => name.padStart(8)));
  for (const key of all) {
    const values = names.map((name) => of(name, key));
    if (Math.max(...values) < 0.1) continue;
    console.log(key.padEnd(20), ...values.map((it) => value(it)), MEDIA.test(key) ? "  (media)" : "");
  }
  console.log("frames a second");
  for (const key of Object.keys(runs.none[0].rates)) console.log(key.padEnd(20), ...names.map((name) => value(rate(name, key))));
  console.log("what is more than without: of the worker and the thread pool, and of all threads that are not for media alone");
  const ran = (run, keys) => keys.reduce((sum, key) => sum + (run.cpu[key] ?? 0), 0);
  for (const name of names.slice(1)) {
    const frames = median(runs[name].map(({ rates }) => rates.videoSent + rates.audioSent + rates.videoReceived + rates.audioReceived));
    const [worker, all] = [["DedicatedWorker", "ThreadPoolForeg"], ["all"]].map((keys) =>
      median(runs[name].map((run, turn) => ran(run, keys) - ran(runs.none[turn], keys))),
    );
    const each = (share) => `${value(share, 6)} % of a core, ${((share / frames) * 10_000).toFixed(0)} µs a frame`;
    console.log(`${name.padEnd(10)} ${each(worker)};  ${each(all)}`);
  }
}
