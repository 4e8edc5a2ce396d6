import assert from "node:assert/strict";
import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { nothingOverflows } from "../lib/overflow.mjs";
import { PageUser, SEEN_MS } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";

scenario(
  "a call to a DM rings, is answered by the keyboard, and hands and reactions are seen",
  async (call) => {
    await call.server.putChannel("dm", { kind: "dm", tier: "pro", members: ["Ada", "Ben"], encryption: "transport" });
    const open = async (name, look) =>
      PageUser.open(call, name, { token: await call.server.token(name, "pro"), ...look });
    const ada = await open("Ada", CHECKED);
    const ben = await open("Ben", { ...CHECKED, viewport: { width: 320, height: 640 }, colorScheme: "dark" });
    const rings = (person) => person.page.locator(".ring", { hasText: "Ada is calling you" });
    await ada.join("Pro", "dm");
    await ada.press("Call them");
    await rings(ben).waitFor({ timeout: SEEN_MS });
    await isAccessible(ben, "a call that rings");
    await nothingOverflows(ben, "ringing");
    await ada.page.getByText("It rings…").waitFor();
    await ben.press("Decline");
    await ada.isTold(/Your call was declined/);
    await ada.press("Call them");
    await rings(ben).waitFor({ timeout: SEEN_MS });
    await ben.button("Answer").focus();
    await ben.page.keyboard.press("Enter");
    await ada.sees(2);
    assert.equal(await rings(ben).count(), 0);

    const bens = ada.page.locator(".tile", { hasText: "Ben" });
    await ben.page.locator(".tool-mute").waitFor();
    await ben.page.keyboard.press("h");
    await bens.getByRole("img", { name: "raised hand" }).waitFor({ timeout: SEEN_MS });
    await ada.page.getByRole("status").getByText("Ben raised a hand").waitFor();
    // Who comes later sees it as well.
    const phone = await open("Ada", { viewport: { width: 768, height: 1024 } });
    await phone.join("Pro", "dm");
    await phone.page.locator(".tile", { hasText: "Ben" }).getByRole("img", { name: "raised hand" }).waitFor();
    await ada.press("React");
    await isAccessible(ada, "the menu of reactions");
    await ada.picture("reactions");
    await ada.press("React with 🎉");
    await ben.page.locator(".tile", { hasText: "Ada" }).locator(".reaction", { hasText: "🎉" }).first().waitFor({ timeout: SEEN_MS });
    await ben.page.getByRole("status").getByText("Ada: 🎉").waitFor();
    await ben.picture("reaction-320");
    await ben.page.keyboard.press("h");
    await bens.getByRole("img", { name: "raised hand" }).waitFor({ state: "detached" });
  },
  { start: () => standalone({ api: true }) },
);
