import { scenario } from "../lib/call.mjs";
import { callOfTwo, CONNECT_MS } from "../lib/page.mjs";

scenario("who mutes in the page is heard by nobody until unmuting", async (call) => {
  const [ada, ben] = await callOfTwo(call);
  await ada.hears(ben);

  await ben.press("Mute");
  await ada.seesThat(ben, "muted");
  await ada.hearsNothing(1_500);
  await ben.hears(ada);

  // By the keyboard this time.
  await ben.page.keyboard.press("m");
  await ben.button("Mute", { exact: true }).waitFor();
  await ada.hears(ben, CONNECT_MS);
});
