import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo, PageUser } from "../lib/page.mjs";

scenario("a person is pinned, and the speaker view follows who speaks", async (call) => {
  const [ada, ben] = await callOfTwo(call, { camera: true });
  const cleo = await PageUser.open(call, "Cleo", { tone: 1130 });
  await cleo.join();
  await ada.sees(3);
  const large = (name) => ada.page.locator(".focus .tile", { hasText: name });
  const pin = (name) => ada.page.locator(".tile", { hasText: name }).getByRole("button", { name: `Pin ${name}` });

  await pin("Ben").focus();
  await ada.page.keyboard.press("Enter");
  await large("Ben").locator("video").waitFor();
  assert.equal(await ada.page.locator(".focus .tile").count(), 1);
  assert.equal(await ada.page.locator(".grid .tile").count(), 2);
  await ada.picture("pinned");
  await large("Ben").getByRole("button", { name: "Full screen: Ben" }).click();
  await ada.page.locator(".tile:fullscreen", { hasText: "Ben" }).waitFor();
  await ada.page.evaluate(() => document.exitFullscreen());
  await pin("Ben").click();
  await large("Ben").waitFor({ state: "detached" });

  await ben.press("Mute");
  await ada.page.keyboard.press("f");
  await large("Cleo").waitFor();
  await cleo.press("Mute");
  await ben.press("Unmute");
  await large("Ben").waitFor();
  // Who is pinned stays, whoever speaks.
  await pin("Cleo").click();
  await large("Cleo").waitFor();
  // A pin goes with its person.
  await cleo.press("Leave");
  await ada.sees(2);
  assert.equal(await ada.page.locator(".focus .tile").count(), 0);
});
