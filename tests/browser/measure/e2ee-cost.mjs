/**
 * What end-to-end encryption costs Chromium: the CPU of the renderer's threads with it and without, in turns, for one
 * 720p camera and a microphone that are encrypted, sent to the page itself, and decrypted.
 * Usage: node measure/e2ee-cost.mjs [TURNS] [SECONDS]
 */
import { build } from "esbuild";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "../lib/browser.mjs";
import { encryptionWorkerScript } from "../lib/bundle.mjs";
import { sleep, until } from "../lib/wait.mjs";

const [turns, seconds] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 8)];
const RECEIVERS = 5;
const FRAMES_PER_SECOND = 30;
/** Of the kernel's clock, USER_HZ. */
const TICK_MS = 10;
/** Threads that do nothing but media, which both have: their noise is larger than what is measured. */
const MEDIA = /Encode|Decode|Codec|VideoFrame|Audio|Compositor|Raster|Viz|Gpu/i;

const page = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><body>"));
await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));
const entry = fileURLToPath(new URL("../client/e2ee-cost.js", import.meta.url));
const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "iife", target: "chrome120" });
const worker = await encryptionWorkerScript();
const browser = await launchBrowser();
const runs = { with: [], without: [] };
try {
  for (let turn = 0; turn < turns; turn += 1) {
    for (const how of turn % 2 === 0 ? ["with", "without"] : ["without", "with"]) runs[how].push(await measure(how === "with"));
  }
} finally {
  await browser.close();
  page.close();
}
report();

async function measure(isEncrypted) {
  const context = await browser.newContext();
  const tab = await context.newPage();
  const before = new Set(await renderers());
  await tab.goto(`http://127.0.0.1:${page.address().port}/`);
  await tab.evaluate(outputFiles[0].text);
  await tab.evaluate((script) => window.run.start(script), isEncrypted ? worker : null);
  const frames = () => tab.evaluate(() => window.run.frames());
  await until("pictures arrive", 20_000, async () => ((await frames()).received > 30 ? true : null));
  const own = (await renderers()).filter((pid) => !before.has(pid));
  const pids = own.length > 0 ? own : await renderers();
  const [start, first, at] = [await threads(pids), await frames(), performance.now()];
  await sleep(seconds * 1_000);
  const [end, last, took] = [await threads(pids), await frames(), (performance.now() - at) / 1_000];
  await context.close();
  const cpu = {};
  for (const [id, { name, ms }] of end) cpu[name] = (cpu[name] ?? 0) + (ms - (start.get(id)?.ms ?? 0)) / took;
  const per = (key) => (last[key] - first[key]) / took;
  return { cpu, sent: per("sent"), received: per("received"), audio: per("audioSent"), kbps: (per("bytes") * 8) / 1_000 };
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

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] ?? 0;
}

function report() {
  const names = [...new Set(Object.values(runs).flat().flatMap(({ cpu }) => Object.keys(cpu)))].sort();
  console.log("CPU of one core by thread, median of", turns, "turns of", seconds, "s: with encryption, without");
  let sum = 0;
  for (const name of names) {
    const [one, other] = ["with", "without"].map((how) => median(runs[how].map(({ cpu }) => (cpu[name] ?? 0) / 10)));
    if (one + other < 0.1) continue;
    const isMedia = MEDIA.test(name);
    if (!isMedia) sum += one - other;
    console.log(`${name.padEnd(20)} ${one.toFixed(2).padStart(7)} % ${other.toFixed(2).padStart(7)} %${isMedia ? "   (media)" : ""}`);
  }
  const of = (key) => median(runs.with.map((it) => it[key]));
  const [sent, received, audio, kbps] = ["sent", "received", "audio", "kbps"].map(of);
  console.log(`encrypted a second: ${sent.toFixed(1)} pictures, ${audio.toFixed(1)} packets of sound, ${kbps.toFixed(0)} kbit/s; decrypted: ${received.toFixed(1)} pictures`);
  const frames = sent + received + 2 * audio;
  const perFrame = (sum * 10) / frames;
  const call = (1 + RECEIVERS) * (FRAMES_PER_SECOND + 50);
  console.log(`threads that are not for media alone: ${sum.toFixed(2)} % of a core more, ${(perFrame * 1_000).toFixed(0)} µs a frame`);
  console.log(`one camera and ${RECEIVERS} receivers, with sound: ${call} frames a second, ${((call * perFrame) / 10).toFixed(2)} % of a core`);
}
