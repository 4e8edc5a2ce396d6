import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo, CONNECT_MS, PageUser } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

scenario("one person is made quieter, by the keyboard alone", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  const cleo = await PageUser.open(call, "Cleo", { tone: 1130 });
  // Entered by the keyboard as well.
  await cleo.page.keyboard.press("Enter");
  await cleo.button("Leave", { exact: true }).waitFor({ timeout: CONNECT_MS });
  for (const other of [ada, ben]) await cleo.hears(other);
  assert.deepEqual(await cleo.page.evaluate(() => window.volumes()), [1, 1]);

  const { keyboard } = cleo.page;
  const slider = cleo.page.getByRole("slider", { name: "Volume of Ben" });
  await tabTo(cleo, slider);
  await keyboard.press("Home");
  for (let step = 0; step < 30; step += 1) await keyboard.press("ArrowRight");
  await volumesAre(cleo, [0.3, 1]);

  // A key for each of the call's buttons, but not while something is typed or moved.
  await keyboard.press("m");
  assert.equal(await cleo.button("Mute", { exact: true }).count(), 1);
  await slider.blur();
  for (const [key, name] of [
    ["m", "Unmute"],
    ["d", "Undeafen"],
    ["v", "Stop camera"],
    ["s", "Stop sharing"],
    ["q", "Close call quality"],
  ]) {
    await keyboard.press(key);
    await cleo.button(name, { exact: true }).waitFor();
  }
  await keyboard.press("d");
  await volumesAre(cleo, [0.3, 1]);
});

async function tabTo({ name, page }, wanted) {
  for (let presses = 0; presses < 40; presses += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${name} does not get there by the Tab key`);
}

function volumesAre({ page }, wanted) {
  let volumes;
  return until(
    () => `the volumes are ${wanted}; they are ${volumes}`,
    CONNECT_MS,
    async () => {
      volumes = (await page.evaluate(() => window.volumes())).sort();
      return JSON.stringify(volumes) === JSON.stringify(wanted) ? true : null;
    },
  );
}
