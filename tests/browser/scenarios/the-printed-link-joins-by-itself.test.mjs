import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { CONNECT_MS } from "../lib/page.mjs";

const leaving = (page) => page.getByRole("button", { name: "Leave", exact: true });

scenario("the link that development mode prints joins by itself, and one with a token does not", async (call) => {
  const { url, secret, log } = call.server;
  const printed = /Open (\S+) in Chrome/.exec(log)?.[1];
  assert.equal(printed, `${url}/#secret=${secret}&channel=lobby&join`);
  const context = await call.browser.newContext({ permissions: ["microphone", "camera"] });
  const pages = [await context.newPage(), await context.newPage()];
  for (const page of pages) await page.goto(printed);
  for (const page of pages) await leaving(page).waitFor({ timeout: CONNECT_MS });
  await pages[0].locator(".tile.camera").nth(1).waitFor({ timeout: CONNECT_MS });
  assert.equal(await pages[0].evaluate(() => location.hash), "#channel=lobby");

  // Whoever follows a link of somebody else's says when to be heard.
  const guest = await context.newPage();
  const token = await call.server.token("Guest", "pro");
  await guest.goto(`${url}/#${new URLSearchParams({ token, channel: "lobby", join: "" })}`);
  await guest.getByRole("button", { name: "Join call" }).waitFor();
  await pages[0].locator(".tile.camera").nth(1).waitFor();
  assert.equal(await pages[0].locator(".tile.camera").count(), 2);
  assert.equal(await leaving(guest).count(), 0);
});
