import { scenario } from "../../lib/call.mjs";
import { callOfTwo } from "../../lib/page.mjs";

/** The contract's ten seconds of unchanging noise, and what a busy machine adds. */
const NOTICED_MS = 20_000;

scenario("a noise loop is muted, and the third time it is removed", async (call) => {
  const [ada, ben] = await callOfTwo(call, { ben: { rhythm: "steady" } });
  for (let strike = 1; strike <= 2; strike += 1) {
    await ada.hears(ben);
    await ben.isTold(/Muted due to unusual audio/, NOTICED_MS);
    await ada.seesThat(ben, "muted");
    await ada.hearsNothing(1_000);
    if (strike === 1) await ben.picture("muted");
    // The message has a button for it, and goes away with it.
    await ben.page.locator(".toast").getByRole("button", { name: "Unmute" }).click();
  }
  await ben.isTold(/You were removed for unusual audio until/, NOTICED_MS);
  await ben.button("Join call").waitFor();
  await ada.sees(1);

  // Not before the time has come.
  await ben.button("Join call").click();
  await ben.isTold(/kept out of this channel until \d/);
});
