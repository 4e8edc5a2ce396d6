import { scenario } from "../lib/call.mjs";
import { CONNECT_MS, PageUser } from "../lib/page.mjs";

scenario("who mutes in the page is heard by nobody until unmuting", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ada.join();
  await ben.join();
  await ada.hears(ben);

  await ben.press("Mute");
  await ada.page.locator("#people").getByText("muted").waitFor();
  await ada.hearsNothing(1_500);
  await ben.hears(ada);

  // By the keyboard this time.
  await ben.page.keyboard.press("m");
  await ben.button("Mute", { exact: true }).waitFor();
  await ada.hears(ben, CONNECT_MS);
});
