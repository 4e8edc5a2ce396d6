import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const TURN_MS = 10_000;

scenario("layers that nobody receives are not sent", async (call) => {
  const [ada, ben] = await callOfTwo(call, { camera: true });

  await ada.page.setViewportSize({ width: 360, height: 300 });
  await sends(ben, /^true,false,false$/);
  await ada.press("Leave");
  await sends(ben, /^false,false,false$/);

  await ada.page.setViewportSize({ width: 1280, height: 800 });
  await ada.join();
  // As much as the path to Ada carries.
  await sends(ben, /^true,true/);
  await ada.playsVideos(1);
});

function sends({ name, page }, wanted) {
  const layers = () => page.evaluate(() => window.encodingsSent("video").map(({ active }) => active));
  return until(
    async () => `${name} sends the layers ${wanted}; it is ${await layers()}`,
    TURN_MS,
    async () => (wanted.test(String(await layers())) ? true : null),
  );
}
