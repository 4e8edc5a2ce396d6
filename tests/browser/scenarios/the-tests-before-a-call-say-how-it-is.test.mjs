import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { impairedWayTo } from "../lib/impair.mjs";
import { PageUser } from "../lib/page.mjs";
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

  // And the call has the microphone afterwards.
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join();
  await ada.join();
  await ben.hears(ada);
});

scenario("the tests before a call say it when the server is out of reach for media", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    way.become({ loss: 1 });
    const ada = await PageUser.open(call, "Ada", { tone: 500, ports: way.ports });
    const result = (title) => ada.page.locator(".checks li", { hasText: title }).locator(".result");
    await ada.press("Test network");
    await says(result("Network"), /^Sound and video cannot reach the server from this network/, NETWORK_MS);
    await says(result("Network"), /Mbit\/s up · UDP blocked/, 0);
  } finally {
    way.close();
  }
});

scenario("who is Free is told a bandwidth as well", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.page.getByRole("radio", { name: "Free" }).check();
  await ada.press("Test network");
  const result = ada.page.locator(".checks li", { hasText: "Network" }).locator(".result");
  await says(result, /^Your network is ready for voice and video.*\d Mbit\/s up · UDP open/, NETWORK_MS);
});

scenario("who uses Firefox is told a bandwidth as well", async (call) => {
  const firefox = await launchFirefox(500);
  try {
    const page = await (await firefox.newContext()).newPage();
    await page.goto(`${call.server.url}/#secret=${call.server.secret}`);
    await page.waitForSelector(".checks li:last-child button");
    await page.click(".checks li:last-child button");
    await page.waitForFunction(
      () => /\d Mbit\/s up/.test(document.querySelector(".checks li:last-child .result").textContent),
      { timeout: NETWORK_MS },
    );
  } finally {
    await firefox.close();
  }
});

function says(locator, text, ms) {
  return until(
    async () => `${text}; it is: ${await locator.textContent()}`,
    ms,
    async () => (text.test((await locator.textContent()) ?? "") ? true : null),
  );
}
