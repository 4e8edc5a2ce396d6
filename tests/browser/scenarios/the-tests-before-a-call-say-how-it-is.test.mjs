import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { PageUser, says } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const ECHO_MS = 20_000;
const NETWORK_MS = 25_000;

scenario("the tests before a call say how it is", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500, ...CHECKED });
  const { page } = ada;
  const result = (title) => page.locator(".checks li", { hasText: title }).locator(".result");

  await ada.press("Test microphone");
  const meter = page.getByRole("meter");
  await until("the meter moves", 5_000, async () =>
    Number(await meter.getAttribute("aria-valuenow")) > 20 ? true : null,
  );
  await ada.press("Play tone");
  await says(result("Speaker"), /Did you hear it/, 5_000);

  await ada.press("Record 3 s");
  await says(result("Echo test"), /recording/i, 10_000);
  // Either of these went by way of the server; a tone that repeats itself may pass for its own echo.
  await says(result("Echo test"), /^(Clear, by way of the server|Your microphone hears your speakers)/, ECHO_MS);

  await ada.press("Test network");
  await says(result("Network"), /^Your network is ready for voice and video/, NETWORK_MS);
  await says(result("Network"), /ms to the server · 0\.0 % lost · \d+\.\d Mbit\/s up · UDP open/, 0);
  await ada.picture("diagnostics");
  await isAccessible(ada, "the results of the tests");

  // Who is Free is told a bandwidth as well.
  const cleo = await PageUser.open(call, "Cleo", { tone: 1130 });
  await cleo.page.getByRole("radio", { name: "Free" }).check();
  await cleo.press("Test network");
  const network = cleo.page.locator(".checks li", { hasText: "Network" }).locator(".result");
  await says(network, /^Your network is ready for voice and video.*\d Mbit\/s up · UDP open/, NETWORK_MS);

  // And the call has the microphone afterwards.
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join();
  await ada.join();
  await ben.hears(ada);
});
