import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";

const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());

scenario("an invitation is for one person and never shows the secret", async (call) => {
  const { secret, url } = call.server;
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  assert.equal(ada.page.url(), `${url}/`, "the secret is gone from the address bar");
  await ada.page.getByLabel("Channel", { exact: true }).fill("attic");
  await ada.press("Invite somebody");
  await ada.page.getByLabel("Their name").fill("Ben");
  await ada.press("Make a link");
  await ada.button("Copy link").waitFor();
  const link = await ada.page.getByLabel("Link", { exact: true }).inputValue();
  assert.ok(!link.includes(secret), link);
  const invited = new URLSearchParams(new URL(link).hash.slice(1));
  assert.deepEqual([...invited.keys()].sort(), ["channel", "token"]);
  const { sub, name, exp, iat } = claimsOf(invited.get("token"));
  assert.deepEqual([name, exp - iat], ["Ben", 86_400]);
  await ada.press("Make a link");
  await ada.page.waitForFunction((before) => document.querySelector("#invitation").value !== before, link);
  const another = await ada.page.getByLabel("Link", { exact: true }).inputValue();
  assert.notEqual(claimsOf(new URLSearchParams(new URL(another).hash.slice(1)).get("token")).sub, sub);
  await ada.page.getByRole("button", { name: "Close" }).click();

  // No request of the page's carried the secret but the one that asks for a token, in its body.
  const seen = [];
  ada.page.on("request", (request) => seen.push([request.url(), JSON.stringify(request.headers())]));
  await ada.page.reload();
  await ada.page.getByLabel("Your name").fill("Ada");
  await ada.join("Pro", "attic");
  assert.ok(!seen.flat().some((text) => text.includes(secret)));

  const token = invited.get("token");
  const ben = await PageUser.open(call, "Ben", { tone: 770, token });
  assert.ok(!ben.page.url().includes(token), "the token is gone from the address bar");
  assert.equal(await ben.button("Invite somebody").count(), 0, "who is invited cannot invite");
  // What others see is the name in the token: the page does not ask for another.
  await ben.page.reload();
  assert.equal(await ben.page.getByLabel("Your name").inputValue(), "Ben");
  await ben.join("Pro", "attic");
  await ada.hears(ben);
  await ben.hears(ada);
  await ada.page.locator("#people li", { hasText: "Ben" }).first().waitFor();
  // Another link in the same tab is another person.
  await ben.page.evaluate((hash) => (location.hash = hash), `#secret=${secret}`);
  await ben.button("Invite somebody").waitFor();
  assert.ok(!ben.page.url().includes(secret));
  const elsewhere = { browser: call.browser, note: () => undefined, server: { url, secret: "not-this-one" } };
  const wrong = await PageUser.open(elsewhere, "Eve");
  await wrong.button("Join call").click();
  await wrong.isTold(/Open the link that the server printed/);
});
