import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { nothingOverflows } from "../lib/overflow.mjs";
import { callOfTwo, PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";

const SHOP = "https://app.example.com/pro";

scenario("a Free user who wants a camera is offered Pro and goes on talking", async (call) => {
  const [ada, ben] = await callOfTwo(call, { tier: "Free" });
  const dialog = ben.page.getByRole("dialog", { name: "Turn on video with Pro" });
  for (const name of ["Start camera", "Share screen"]) {
    await ben.page.getByTitle(`${name} (needs Pro)`).locator(".lock").waitFor();
    await ben.press(name);
    await dialog.waitFor();
    assert.equal(await ben.page.evaluate(() => window.camerasAsked), 0, "no camera was opened");
    if (name === "Start camera") await nothingOverflows(ben, "upgrade");
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

scenario(
  "Get Pro leads where the operator says",
  async (call) => {
    const ben = await PageUser.open(call, "Ben", { tone: 770 });
    const context = ben.page.context();
    await context.route(SHOP, (route) => route.fulfill({ contentType: "text/html", body: "<h1>Pro</h1>" }));
    await ben.join("Free");
    await ben.press("Start camera");
    const [shop] = await Promise.all([context.waitForEvent("page"), ben.press("Get Pro")]);
    await shop.getByRole("heading", { name: "Pro" }).waitFor();
    assert.equal(shop.url(), SHOP);
    assert.equal(await shop.evaluate(() => window.opener), null);
    await ben.button("Leave", { exact: true }).waitFor();
  },
  { start: () => standalone({ settings: { RAILGUN_PAGE_UPGRADE_URL: SHOP } }) },
);
