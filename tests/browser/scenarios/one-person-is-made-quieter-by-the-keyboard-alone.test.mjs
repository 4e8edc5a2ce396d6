import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo, CONNECT_MS, PageUser, SEEN_MS } from "../lib/page.mjs";
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

  // Dialogs take the focus, and give it back; so does the menu of reactions.
  for (const [opener, shown] of [
    [cleo.button("Settings"), cleo.page.getByRole("dialog", { name: "Settings" })],
    [cleo.page.locator(".lock-state"), cleo.page.getByRole("dialog", { name: "Encryption" })],
  ]) {
    await tabTo(cleo, opener);
    await keyboard.press("Enter");
    await shown.waitFor();
    assert.ok(await shown.evaluate((dialog) => dialog.contains(document.activeElement)), "the focus is in the dialog");
    await keyboard.press("Escape");
    await shown.waitFor({ state: "hidden" });
    assert.ok(await hasFocus(opener), "the focus is where it was");
  }
  await tabTo(cleo, cleo.button("React", { exact: true }));
  await keyboard.press("Enter");
  await tabTo(cleo, cleo.button("React with 🎉"));
  await keyboard.press("Enter");
  await ada.page.locator(".tile", { hasText: "Cleo" }).locator(".reaction", { hasText: "🎉" }).first().waitFor({ timeout: SEEN_MS });
  await keyboard.press("Escape");
  await tabTo(cleo, cleo.button("Leave", { exact: true }));
  await keyboard.press("Enter");
  await cleo.button("Join call").waitFor();
});

const hasFocus = (wanted) => wanted.evaluate((element) => element === document.activeElement);

async function tabTo({ name, page }, wanted) {
  for (let presses = 0; presses < 40; presses += 1) {
    if (await hasFocus(wanted)) return;
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
