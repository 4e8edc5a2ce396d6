/** A camera in layers, and a receiver that asks for one after the other. */
import assert from "node:assert/strict";
import { until } from "./wait.mjs";

/** Of the three layers of a camera that is 960 wide. */
export const WIDTHS = [240, 480, 960];
/** Low enough that the estimate of the path has room for all of them. */
const SIMULCAST = [
  { scaleResolutionDownBy: 4, maxBitrate: 100_000 },
  { scaleResolutionDownBy: 2, maxBitrate: 300_000 },
  { scaleResolutionDownBy: 1, maxBitrate: 900_000 },
];
const START_KBPS = 2_000;

/** Every layer from every other. */
const ALL_TURNS = [0, 1, 2, 0, 2, 1, 0];
const ALL_LAYERS_MS = 20_000;
const TURN_MS = 8_000;
/** How long a layer is watched after it came. */
const FRAMES_PER_TURN = 12;
const FREEZE_MAX_MS = 500;
/** The server asks the sender for what a turn needs; a decoder that asks lacks something. */
const ASKED_MAX = 1;

/** How to publish a camera as three encodings. */
export const simulcast = (mimeType) => ({
  mimeType,
  encodings: SIMULCAST,
  startBitrate: START_KBPS,
  moving: true,
});
/** How to publish a camera as one encoding with layers inside. */
export const scalable = (mimeType, scalabilityMode) => ({
  mimeType,
  encodings: [{ maxBitrate: 1_200_000, scalabilityMode }],
  startBitrate: START_KBPS,
  moving: true,
});

/** `receiver` gets each layer of `sender`'s camera in turn, without a freeze and without a decoder's error. */
export async function getsEachLayerInTurn(receiver, sender, mimeType, turns = ALL_TURNS) {
  await sees(receiver, sender, 2, Date.now(), ALL_LAYERS_MS);
  const before = await receiver.do("videoStats", sender.userId);
  const start = Date.now();
  for (const spatialLayer of turns) {
    const since = Date.now();
    await receiver.do("prefer", sender.userId, { spatialLayer });
    await sees(receiver, sender, spatialLayer, since, TURN_MS);
    await isTold(receiver, sender, spatialLayer);
  }

  const frames = await receiver.do("frames", sender.userId, start);
  const gaps = frames.slice(1).map(({ at }, index) => at - frames[index].at);
  const longest = Math.max(...gaps);
  assert.ok(longest <= FREEZE_MAX_MS, `a freeze of ${longest} ms: ${describeGaps(frames)}`);

  const after = await receiver.do("videoStats", sender.userId);
  assert.equal(after.mimeType, mimeType);
  const decoded = after.framesDecoded - before.framesDecoded;
  // The statistics are as old as the browser's last look at them.
  assert.ok(decoded >= 0.9 * frames.length, `${decoded} frames were decoded, ${frames.length} shown`);
  const asked = after.pliCount - before.pliCount;
  assert.ok(asked <= ASKED_MAX, `${asked} key frames were asked for by the decoder`);
}

/** A run of frames in the layer's width, which nothing interrupts. */
async function sees(receiver, sender, layer, since, ms) {
  let widths = [];
  await until(
    () => `${receiver.userId} sees ${sender.userId} ${WIDTHS[layer]} wide; it was ${[...new Set(widths)]}`,
    ms,
    async () => {
      const frames = await receiver.do("frames", sender.userId, since);
      widths = frames.map(({ width }) => width);
      const newest = widths.slice(-FRAMES_PER_TURN);
      const isIt = newest.length === FRAMES_PER_TURN && newest.every((width) => width === WIDTHS[layer]);
      return isIt || null;
    },
  );
}

/** The last `voice:consumerLayers` of the camera names the layer. */
async function isTold(receiver, sender, layer) {
  let last;
  await until(
    () => `${receiver.userId} is told of layer ${layer}; the last event is ${JSON.stringify(last)}`,
    2_000,
    async () => {
      last = await receiver.ask((client, userId) => {
        const { id } = client.cameraOf(userId).consumer;
        const isOfIt = ({ name, payload }) => name === "voice:consumerLayers" && payload.consumerId === id;
        return client.events.findLast(isOfIt)?.payload ?? null;
      }, sender.userId);
      return last?.layers?.spatialLayer === layer ? true : null;
    },
  );
}

function describeGaps(frames) {
  const long = frames.flatMap(({ at, width }, index) => {
    const before = frames[index - 1];
    const gap = before ? at - before.at : 0;
    return gap > FREEZE_MAX_MS ? [`${gap} ms from ${before.width} to ${width}`] : [];
  });
  return long.join(", ");
}
