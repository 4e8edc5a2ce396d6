/** A camera in three layers over a link that is narrow, lossy or away, to a receiver in Chromium: what that sees, second by second. */
import { impairedWayTo } from "./impair.mjs";
import { WIDTHS } from "./layers.mjs";
import { CAST, Person } from "./person.mjs";
import { quantile } from "./quantile.mjs";
import { sleep, until } from "./wait.mjs";

/** Bits a second of each layer. */
const LAYERS = [130_000, 420_000, 1_200_000];
const [LOW, , TOP] = WIDTHS;
const CAMERA = {
  encodings: LAYERS.map((maxBitrate, layer) => ({ maxBitrate, scaleResolutionDownBy: 4 >> layer })),
  startBitrate: 2_000,
  grain: TOP,
  moving: true,
};
/** A picture that stands for longer is frozen, in milliseconds. */
const FROZEN_MS = 400;
const ALL_LAYERS_MS = 30_000;

/** A call with a camera whose layers are all sent; gives who sends. */
export async function cameraInLayers(call) {
  const [sender, first] = CAST;
  const ada = await Person.join(call, sender, { sends: ["mic"] });
  await ada.do("publishColour", ada.colour, CAMERA);
  const near = await Person.join(call, first, { sends: [] });
  await until("the widest picture is seen", ALL_LAYERS_MS, async () => {
    const frames = await near.do("frames", ada.userId, Date.now() - 1_000);
    return frames.length > 8 && frames.every(({ width }) => width === TOP) ? true : null;
  });
  await near.page.context().close();
  return ada;
}

/**
 * Somebody joins over a link and stays for `seconds`. `way`: of `ImpairedWay.become`, `delay` in each direction, the rest
 * to the receiver; `then`: by second after the join, what changes. `as`: who joins, in another `browser` than the call's. Gives `Seen`.
 */
export async function seenOver(call, sender, { way, then = {}, seconds }, { as = CAST[2], browser } = {}) {
  const link = await impairedWayTo(call.server);
  try {
    let now = way;
    const become = ({ delay = 20, ...down }) => link.become({ delay, down });
    become(now);
    const start = Date.now();
    const viewer = await Person.join(call, as, { sends: [], ports: link.ports, browser });
    for (const [second, change] of Object.entries(then)) {
      await sleep(start + 1_000 * Number(second) - Date.now());
      become((now = { ...now, ...change }));
    }
    await sleep(start + 1_000 * seconds - Date.now());
    const end = Date.now();
    const frames = await viewer.do("frames", sender.userId, start);
    const speech = await viewer.do("audioStats", sender.userId);
    const answer = await viewer.do("answered");
    await viewer.page.context().close();
    return new Seen({ start, end, frames, speech, answer, down: link.down });
  } finally {
    link.close();
  }
}

/** Times are seconds after the join was asked for. */
class Seen {
  constructor({ start, end, frames, speech, answer, down }) {
    const since = (at) => (at - start) / 1_000;
    this.frames = frames.map(({ at, width }) => ({ at: since(at), width }));
    this.down = down.map(({ at, ...datagram }) => ({ at: since(at), ...datagram }));
    this.seconds = since(end);
    /** Speech that had to be made up, in percent; and the SDP that the viewer answered with. */
    this.concealed = (100 * speech.concealedSamples) / speech.totalSamplesReceived;
    this.answer = answer;
  }

  get firstPicture() {
    return this.frames[0]?.at ?? Infinity;
  }

  /** Seconds in which a picture stood for too long. */
  frozen(from = 0) {
    const times = [...this.frames.map(({ at }) => at), this.seconds].filter((at) => at >= from);
    const gaps = times.slice(1).map((at, index) => at - times[index]);
    return gaps.filter((gap) => gap >= FROZEN_MS / 1_000).reduce((sum, gap) => sum + gap, 0);
  }

  changes(from = 0) {
    const frames = this.#since(from);
    return frames.filter(({ width }, index) => index > 0 && width !== frames[index - 1].width).length;
  }

  /** Of the pictures from then on, and until then, how many are so wide, in percent. */
  wide(width, from = 0, until = Infinity) {
    const frames = this.#since(from).filter(({ at }) => at < until);
    return (100 * frames.filter((frame) => frame.width === width).length) / Math.max(1, frames.length);
  }

  /** Seconds from then on until the first picture so wide. */
  until(width, from) {
    return (this.#since(from).find((frame) => frame.width === width)?.at ?? Infinity) - from;
  }

  rate(from = 0) {
    return this.#since(from).length / (this.seconds - from);
  }

  /** Longest wait in the link's queue but for the longest twentieth, in milliseconds. */
  queueP95(from = 0) {
    return quantile(this.#waited(from).map(({ waited }) => waited), 0.95);
  }

  /** Seconds in which somebody waited for longer than `ms`, in steps of 50 ms. */
  queueOver(ms, from = 0) {
    const steps = this.#waited(from).filter(({ waited }) => waited > ms).map(({ at }) => Math.floor(at / 0.05));
    return new Set(steps).size * 0.05;
  }

  /** Changes of layer, and where a picture stood. */
  story() {
    const lines = this.frames.flatMap(({ at, width }, index) => {
      const before = this.frames[index - 1];
      const isTold = !before || before.width !== width || at - before.at >= FROZEN_MS / 1_000;
      return isTold ? [`${at.toFixed(2)} s: ${width}${before ? ` after ${(at - before.at).toFixed(2)} s` : ""}`] : [];
    });
    return lines.join("; ");
  }

  #waited(from) {
    return this.down.filter(({ at, waited }) => at >= from && waited !== null);
  }

  #since(from) {
    return this.frames.filter(({ at }) => at >= from);
  }
}

const atMost = (name, value, target) => ({ name, value, target: `at most ${target}`, holds: value <= target });
const atLeast = (name, value, target) => ({ name, value, target: `at least ${target}`, holds: value >= target });
/** Seconds in which what a link takes is found out. */
const found = 15;
const steady = (seen) => [
  atMost("frozen, s", seen.frozen(found), 0),
  atMost("layer changes", seen.changes(found), 2),
  atMost("queue p95, ms", seen.queueP95(found), 60),
];

/** What a call over each link is held to. */
export const LINKS = [
  {
    name: "20 Mbit/s: what this machine encodes and shows",
    way: { rate: 20_000_000 },
    seconds: 30,
    figures: (seen) => [
      atMost("first picture, s", seen.firstPicture, 1.5),
      atMost("frozen, s", seen.frozen(5), 0),
      atLeast("on the top layer, %", seen.wide(TOP, 5), 100),
    ],
  },
  {
    name: "300 kbit/s, 5 Mbit/s from 20 s on",
    way: { rate: 300_000, queue: 300 },
    then: { 20: { rate: 5_000_000 } },
    seconds: 40,
    figures: (seen) => [
      atMost("first picture, s", seen.firstPicture, 1.5),
      atMost("top layer after, s", seen.until(TOP, 20), 4),
      atMost("frozen, s", seen.frozen(), 1),
    ],
  },
  {
    name: "4 Mbit/s to 500 kbit/s at 15 s, 400 ms queue",
    way: { rate: 4_000_000, queue: 400 },
    then: { 15: { rate: 500_000 } },
    seconds: 50,
    figures: (seen) => [
      atMost("queue over 100 ms, s", seen.queueOver(100, 15), 1.5),
      atMost("frozen, s", seen.frozen(14), 1),
      atMost("layer changes", seen.changes(14), 2),
    ],
  },
  {
    name: "1.4 Mbit/s: above the top layer",
    way: { rate: 1_400_000, queue: 500 },
    seconds: 60,
    figures: (seen) => [...steady(seen), atLeast("on the layer, %", seen.wide(TOP, found), 80)],
  },
  {
    name: "1.2 Mbit/s: below the top layer",
    way: { rate: 1_200_000, queue: 500 },
    seconds: 60,
    figures: steady,
  },
  {
    name: "200 kbit/s",
    way: { rate: 200_000, queue: 300 },
    seconds: 45,
    figures: (seen) => [
      atMost("concealed speech, %", seen.concealed, 2),
      atLeast("pictures a second", seen.rate(seen.firstPicture), 5),
      atMost("frozen, s", seen.frozen(), 1),
    ],
  },
  {
    name: "5 to 1 Mbit/s at 20 s, 1 s queue",
    way: { rate: 5_000_000, queue: 1_000 },
    then: { 20: { rate: 1_000_000 } },
    seconds: 60,
    figures: (seen) => [
      atMost("queue p95, ms", seen.queueP95(20), 150),
      atMost("frozen, s", seen.frozen(19), 1),
    ],
  },
  ...[0.02, 0.05].map((loss) => ({
    name: `${100 * loss} % random loss, 50 ms`,
    way: { rate: 5_000_000, delay: 25, loss },
    seconds: 60,
    figures: (seen) => [
      atMost("layer changes", seen.changes(found), 2),
      atMost("frozen, s", seen.frozen(found), 0.5),
      atLeast("on the top layer, %", seen.wide(TOP, found), 95),
    ],
  })),
  {
    name: "bursts of loss, 30 ms jitter",
    way: { rate: 5_000_000, delay: 25, jitter: 30, bursts: { begin: 0.005, end: 0.1, lost: 0.6 } },
    seconds: 60,
    figures: (seen) => [atLeast("on the top layer, %", seen.wide(TOP, found), 70)],
  },
  ...[
    [300_000, LOW],
    [5_000_000, TOP],
  ].map(([rate, width]) => ({
    name: `stalls of 300 ms each 2 s, ${rate / 1_000} kbit/s`,
    way: { rate, queue: 300, stalls: { every: 2_000, length: 300 } },
    seconds: 45,
    figures: (seen) => [
      atMost("queue over 100 ms, s", seen.queueOver(100, found), 2),
      atMost("frozen, s", seen.frozen(found), 1),
      atMost("layer changes", seen.changes(found), 2),
      atLeast("on the layer that fits, %", seen.wide(width, found), 95),
    ],
  })),
  {
    name: "3 s outage at 20 s",
    way: { rate: 5_000_000, queue: 300 },
    then: { 20: { loss: 1 }, 23: { loss: 0 } },
    seconds: 40,
    figures: (seen) => [
      atMost("picture back after, s", (seen.frames.find(({ at }) => at > 23)?.at ?? Infinity) - 23, 1),
    ],
  },
];
