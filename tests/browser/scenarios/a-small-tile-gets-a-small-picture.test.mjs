import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

/** Of the smallest of the camera's three layers. */
const SMALL = 180;
const TURN_MS = 15_000;

scenario("a small tile gets a small picture", async (call) => {
  const [ada, ben] = await callOfTwo(call, { camera: true });
  await pictureIs(ada, "large", (height) => height > SMALL);

  await ada.page.setViewportSize({ width: 360, height: 300 });
  await pictureIs(ada, "small", (height) => height > 0 && height <= SMALL);

  await ada.page.setViewportSize({ width: 1280, height: 800 });
  await pictureIs(ada, "large again", (height) => height > SMALL);
});

async function pictureIs({ page }, what, matches) {
  const height = () => page.$eval(".tile video", (video) => video.videoHeight);
  await until(
    async () => `the picture is ${what}; it is ${await height()} high`,
    TURN_MS,
    async () => (matches(await height()) ? true : null),
  );
}
