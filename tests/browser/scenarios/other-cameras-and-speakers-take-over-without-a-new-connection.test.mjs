import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo, connectionsOf, CONNECT_MS } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

scenario("other cameras and speakers take over without a new connection", async (call) => {
  const [ada, ben] = await callOfTwo(call, { camera: true });
  const before = await connectionsOf(ada, ben);
  const picture = () => ada.page.$eval(".tile video", (video) => video.dataset["track"]);
  const track = await picture();

  await isBlurredWhereTheSystemCan(ben);
  await ben.press("Settings");
  const camera = await choose(ben, "#call-camera");
  await until("the other camera is opened", CONNECT_MS, async () =>
    (await ben.page.evaluate(() => window.camerasInUse())).includes(camera) ? true : null,
  );
  await ada.playsVideos(1);
  assert.equal(await picture(), track, "it is the same stream throughout");

  const speaker = await choose(ben, "#call-speaker");
  await until("everything is played there", CONNECT_MS, async () => {
    const sinks = await ben.page.evaluate(() => window.speakersInUse());
    return sinks.length > 0 && sinks.every((sink) => sink === speaker) ? true : null;
  });
  await ben.hears(ada);
  assert.deepEqual(await connectionsOf(ada, ben), before);
  assert.equal(await ben.page.locator(".toast.bad").count(), 0);
});

/** No system here blurs a background, so the browser is said to be on one that does. */
async function isBlurredWhereTheSystemCan({ page }) {
  const blur = page.getByLabel("Blurred background");
  const asked = () => page.evaluate(() => window.blurAsked.at(-1));
  const isAsked = (wanted) => until(`a background is to be blurred: ${wanted}`, CONNECT_MS, async () => ((await asked()) === wanted ? true : null));
  await page.getByRole("button", { name: "Settings" }).click();
  assert.equal(await blur.isVisible(), false, "nothing is offered that the system cannot");
  await page.keyboard.press("Escape");
  await page.evaluate(() => {
    window.blurAsked = [];
    const { getCapabilities, applyConstraints } = MediaStreamTrack.prototype;
    Object.assign(MediaStreamTrack.prototype, {
      getCapabilities() {
        return { ...getCapabilities.call(this), backgroundBlur: [true, false] };
      },
      applyConstraints(constraints) {
        if ("backgroundBlur" in constraints) window.blurAsked.push(constraints.backgroundBlur);
        return applyConstraints.call(this, constraints);
      },
    });
  });
  await page.getByRole("button", { name: "Settings" }).click();
  await blur.check();
  await isAsked(true);
  await blur.uncheck();
  await isAsked(false);
  await page.keyboard.press("Escape");
}

/** The last device of the list; its id. */
async function choose({ page }, picker) {
  const select = page.locator(picker);
  const devices = await select.locator("option").evaluateAll((all) => all.map(({ value }) => value));
  assert.ok(devices.length > 1, `there is a device to choose in ${picker}: ${devices}`);
  await select.selectOption(devices.at(-1));
  return devices.at(-1);
}
