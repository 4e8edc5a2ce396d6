import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";

scenario("forced colours (high contrast) show who speaks and what is off", async (call) => {
  const [ada, ben] = await callOfTwo(call, { ada: { forcedColors: "active", ...CHECKED } });
  await ada.hears(ben);
  const tile = ada.page.locator(".tile", { hasText: "Ben" });
  await ada.page.locator(".tile.speaking", { hasText: "Ben" }).waitFor();
  assert.equal(await outlineOf(tile), "solid");
  await ben.press("Mute");
  await ada.page.locator(".tile:not(.speaking)", { hasText: "Ben" }).waitFor();
  assert.equal(await outlineOf(tile), "none");

  const mute = ada.page.locator(".tool-mute");
  await ada.press("Deafen");
  await ada.page.locator(".tool-mute.off").waitFor();
  assert.equal(await outlineOf(mute), "solid");
  await ada.picture("forced-colours");
  await isAccessible(ada, "a call in forced colours");
});

function outlineOf(locator) {
  return locator.evaluate((element) => getComputedStyle(element).outlineStyle);
}
