/**
 * Calls of Chromium over a link that marks ECT(1) datagrams as CE while its queue is longer than 5 ms (RFC 9331), beside the same
 * link without marks: what waits in its queue, and how many pictures come. `down`: a receiver's, sent to by `rtc.l4s`; `up`: a
 * sender's, whose congestion control is Chromium's own.
 * Usage: node measure/l4s.mjs [down|up] [SECONDS], with `RATE` in bit/s
 */
import { CCFB_TRIAL, launchBrowser, SCREAM_TRIAL } from "../lib/browser.mjs";
import { cameraInLayers } from "../lib/links.mjs";
import { MarkingLink } from "../lib/marking-link.mjs";
import { CAST, Person } from "../lib/person.mjs";
import { quantile } from "../lib/quantile.mjs";
import { standalone } from "../lib/server.mjs";
import { sleep } from "../lib/wait.mjs";

const [direction = "down", seconds = "45"] = process.argv.slice(2);
const RATE = Number(process.env.RATE ?? 1_000_000);
/** Seconds in which what the link takes is found out. */
const FOUND = 15;
const [ada, ben, cleo] = CAST;
const ROWS = {
  down: [
    { name: "RFC 8888, not ECT", l4s: false },
    { name: "RFC 8888, ECT(1), no marks", l4s: true },
    { name: "RFC 8888, ECT(1), marked above 5 ms", l4s: true, mark: 5 },
  ],
  up: [
    { name: "transport-cc", trial: "" },
    { name: "RFC 8888, not ECT", trial: CCFB_TRIAL },
    { name: "RFC 8888, SCReAM, ECT(1), no marks", trial: CCFB_TRIAL + SCREAM_TRIAL },
    { name: "RFC 8888, SCReAM, ECT(1), marked above 5 ms", trial: CCFB_TRIAL + SCREAM_TRIAL, mark: 5 },
  ],
};

/** How many pictures of each width. */
function widths(frames) {
  const counts = new Map();
  for (const { width } of frames) counts.set(width, (counts.get(width) ?? 0) + 1);
  return [...counts].map(([width, count]) => `${count} of ${width}`).join(" ");
}

/** One call, whose figures it says. */
async function measured({ name, l4s = true, trial, mark }) {
  const server = standalone({ settings: { RAILGUN_RTC_CCFB: "true", RAILGUN_RTC_L4S: String(l4s) } });
  const call = { server, people: [], note: () => undefined };
  try {
    await server.ready();
    call.browser = await launchBrowser({ trial: direction === "down" ? CCFB_TRIAL : trial });
    const near = direction === "down" ? await cameraInLayers(call) : await Person.join(call, ben, { sends: [] });
    const link = await MarkingLink.to(server, { narrow: direction, rate: RATE, mark });
    const options = { sends: direction === "up" ? ["mic"] : [], ports: link.ports };
    const far = await Person.join(call, direction === "up" ? ada : cleo, options);
    if (direction === "up") await far.do("publishColour", far.colour, { encodings: [{ maxBitrate: 2_400_000 }], grain: 640 });
    const viewer = direction === "up" ? near : far;
    const from = Date.now() + FOUND * 1_000;
    await sleep(1_000 * Number(seconds));
    const frames = await viewer.do("frames", ada.userId, from);
    const stats = await far.do("transportStats", direction === "up" ? "send" : "recv");
    const seen = await link.close();
    const waits = seen.waits.filter(([at]) => at >= from).map(([, wait]) => wait);
    const part = (of) => quantile(waits, of).toFixed(1);
    const span = (Date.now() - from) / 1_000;
    // Of what it sends, as the node echoed it; of what it receives, as it read it itself.
    const type = direction === "up" ? "remote-inbound-rtp" : "inbound-rtp";
    const marks = (field) => stats.filter((it) => it.type === type).reduce((sum, it) => sum + (it[field] ?? 0), 0);
    console.log(
      [
        `${direction} | ${name}`,
        `queue p50 ${part(0.5)} ms, p95 ${part(0.95)}, p99 ${part(0.99)}`,
        `${(frames.length / span).toFixed(1)} pictures/s, ${widths(frames)}`,
        `${((8 * seen.bytes) / Number(seconds) / 1_000).toFixed(0)} kbit/s`,
        `marked ${seen.marked}, read as CE ${marks("packetsReceivedWithCe")}, as ECT(1) ${marks("packetsReceivedWithEct1")}`,
        `lost ${seen.lost}`,
        JSON.stringify(seen.ecn),
      ].join(" | "),
    );
  } finally {
    await call.browser?.close();
    await server.stop();
  }
}

for (const row of ROWS[direction]) await measured(row);
