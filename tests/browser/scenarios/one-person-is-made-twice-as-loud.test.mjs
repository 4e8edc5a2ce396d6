import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

scenario("one person is made twice as loud (volume 200 %), and is as loud as before at 100 %", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  await ada.hears(ben);
  await ada.page.evaluate(measureBothEnds);
  const slider = ada.page.getByRole("slider", { name: "Volume of Ben" });
  for (const volume of [2, 1, 0.5]) {
    await slider.fill(String(volume * 100));
    await until("there is a louder way", 5_000, () => ada.page.evaluate(() => window.ends.played !== null || null));
    const { received, played } = await ada.page.evaluate(rootMeanSquares);
    assert.ok(received > 0.001, `${received} is received`);
    const ratio = played / received;
    assert.ok(Math.abs(ratio / volume - 1) < 0.1, `${volume * 100} % is ${ratio} times as loud`);
  }
  await ada.hears(ben);
});

/** Puts an analyser beside what the page's audio graph takes in, and one beside what it gives out. */
function measureBothEnds() {
  window.ends = { received: null, played: null };
  const { connect } = AudioNode.prototype;
  const analyserOf = (node) => {
    const analyser = new AnalyserNode(node.context, { fftSize: 2_048 });
    connect.call(node, analyser);
    return analyser;
  };
  AudioNode.prototype.connect = function (to, ...places) {
    if (this instanceof MediaStreamAudioSourceNode) window.ends.received = analyserOf(this);
    if (to instanceof MediaStreamAudioDestinationNode) window.ends.played = analyserOf(this);
    return connect.call(this, to, ...places);
  };
}

/**
 * Root mean square of both over the same second and a half, which has two bursts and more, 0 to 1. A person speaks now louder and now softer, so only
 * what was measured at the same time can be compared.
 */
async function rootMeanSquares() {
  const { received, played } = window.ends;
  const samples = new Float32Array(received.fftSize);
  const energy = (analyser) => {
    analyser.getFloatTimeDomainData(samples);
    return samples.reduce((sum, it) => sum + it * it, 0) / samples.length;
  };
  // What was changed a moment ago is heard by now.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const sums = { received: 0, played: 0 };
  let count = 0;
  for (const end = Date.now() + 1_500; Date.now() < end; count += 1) {
    sums.received += energy(received);
    sums.played += energy(played);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { received: Math.sqrt(sums.received / count), played: Math.sqrt(sums.played / count) };
}
