/** Faults of calls in pages: drawn by a seed, done to ways, devices and the server, and taken back. */

/** A slow process is stopped for a part of each period of this length, in milliseconds. */
const SLICE_MS = 100;

/**
 * Side, cause and whose, as an operator is to be told; `people` are three, of whom the first has a camera. `begin` does it to
 * the one it falls on and gives what takes it back. A slow device is none of them: a page that stood still for 85 % of each 100 ms
 * was heard well, and Chromium did not say within the minute that its processor is too slow.
 */
export const FAULTS = {
  lossyUplink: {
    told: "senderUplink loss",
    begin: ({ way }, random) => impair(way, { up: { loss: between(0.1, 0.35, random) } }),
  },
  lossyDownlink: {
    told: "receiverDownlink loss",
    begin: ({ way }, random) => impair(way, { down: { loss: between(0.1, 0.35, random) } }),
  },
  unevenUplink: {
    told: "senderUplink delay",
    begin: ({ way }, random) => impair(way, { up: { jitter: between(600, 1_500, random) } }),
  },
  unevenDownlink: {
    told: "receiverDownlink delay",
    begin: ({ way }, random) => impair(way, { down: { jitter: between(600, 1_500, random) } }),
  },
  narrowDownlink: {
    told: "receiverDownlink bandwidth",
    // Who sees a camera.
    of: [1, 2],
    begin: ({ way }, random) => impair(way, { down: { rate: between(150_000, 250_000, random) } }),
  },
  cutOff: { told: "senderUplink interrupted", lasts: 22_000, begin: ({ way }) => impair(way, { loss: 1 }) },
  deadMicrophone: { told: "device microphone", begin: ({ user }) => deadMicrophone(user) },
  slowNode: { told: "node overload", isShared: true, begin: ({ node }, random) => slow(node, between(0.5, 0.8, random)) },
};

/**
 * What goes wrong in each call in one minute: `{name, told, at, lasts, begin}`, where `at` is a person's place, or null.
 * `random`: gives numbers from 0 to 1.
 */
export function draw(random, calls) {
  const names = Object.keys(FAULTS);
  const one = (name) => {
    const { of = [0, 1, 2], isShared = false, ...fault } = FAULTS[name];
    return { name, ...fault, isShared, at: isShared ? null : of[Math.floor(random() * of.length)], random };
  };
  const drawn = () => names[Math.floor(random() * names.length)];
  const all = Array.from({ length: calls }, () => one(drawn()));
  // One node has all calls.
  const shared = all.find(({ isShared }) => isShared);
  return shared ? all.map(() => shared) : all;
}

const between = (least, most, random) => least + (most - least) * random();

function impair(way, how) {
  way.become(how);
  return () => way.become({});
}

async function deadMicrophone({ page }) {
  await page.evaluate(() => window.standStill(true));
  return () => page.evaluate(() => window.standStill(false));
}

/** Stops the process for this part of each period. */
function slow(pid, part) {
  const stop = () => {
    process.kill(pid, "SIGSTOP");
    setTimeout(() => process.kill(pid, "SIGCONT"), SLICE_MS * part);
  };
  const timer = setInterval(stop, SLICE_MS);
  return () => {
    clearInterval(timer);
    setTimeout(() => process.kill(pid, "SIGCONT"), SLICE_MS);
  };
}
