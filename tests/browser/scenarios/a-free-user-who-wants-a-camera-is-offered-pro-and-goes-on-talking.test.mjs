import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";

scenario("a Free user who wants a camera is offered Pro and goes on talking", async (call) => {
  const [ada, ben] = await callOfTwo(call, { tier: "Free" });
  const dialog = ben.page.getByRole("dialog", { name: "Turn on video with Pro" });
  for (const name of ["Start camera", "Share screen"]) {
    await ben.page.getByTitle(`${name} (needs Pro)`).locator(".lock").waitFor();
    await ben.press(name);
    await dialog.waitFor();
    assert.equal(await ben.page.evaluate(() => window.camerasAsked), 0, "no camera was opened");
    if (name === "Start camera") await ben.picture("upgrade");
    await ben.press("Not now");
    await dialog.waitFor({ state: "hidden" });
  }
  await ada.hears(ben);
  await ben.hears(ada);

  // A Pro user beside them is seen.
  await ada.press("Start camera");
  await ben.playsVideos(1);
  await ben.picture("call-2");
});
