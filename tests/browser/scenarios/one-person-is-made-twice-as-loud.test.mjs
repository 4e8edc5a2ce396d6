import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

scenario("one person is made twice as loud (volume 200 %), and is as loud as before at 100 %", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  await ada.hears(ben);
  await ada.page.evaluate(() => {
    window.outputs = [];
    const { createMediaStreamDestination } = AudioContext.prototype;
    AudioContext.prototype.createMediaStreamDestination = function () {
      const node = createMediaStreamDestination.call(this);
      window.outputs.push(node.stream);
      return node;
    };
  });
  const slider = ada.page.getByRole("slider", { name: "Volume of Ben" });
  await slider.fill("200");
  await until("there is a louder way", 5_000, () => ada.page.evaluate(() => window.outputs.length > 0 || null));
  const loud = await ada.page.evaluate(loudest);
  await slider.fill("100");
  const plain = await ada.page.evaluate(loudest);
  await slider.fill("50");
  const quiet = await ada.page.evaluate(loudest);
  assert.ok(plain > 0.01, `${plain} is heard`);
  for (const [what, ratio, wanted] of [
    ["200 %", loud / plain, 2],
    ["50 %", quiet / plain, 0.5],
  ])
    assert.ok(Math.abs(ratio / wanted - 1) < 0.2, `${what} is ${ratio} times as loud`);
  await ada.hears(ben);
});

/** The greatest root mean square within three seconds of what goes to the speaker, 0 to 1. */
async function loudest() {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 2_048 });
  context.createMediaStreamSource(window.outputs[0]).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  // What was changed a moment ago is heard by now.
  await new Promise((resolve) => setTimeout(resolve, 300));
  let most = 0;
  for (const end = Date.now() + 3_000; Date.now() < end; ) {
    analyser.getFloatTimeDomainData(samples);
    most = Math.max(most, Math.sqrt(samples.reduce((sum, it) => sum + it * it, 0) / samples.length));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await context.close();
  return most;
}
