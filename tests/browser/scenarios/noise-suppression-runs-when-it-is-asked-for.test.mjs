import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

scenario("noise suppression runs when it is asked for", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  const loaded = [];
  ben.page.on("response", (response) => loaded.push(`${response.status()} ${response.url()}`));
  await ada.join();
  await ben.join();
  await ada.hears(ben);
  assert.deepEqual(
    loaded.filter((url) => /rnnoise/.test(url)),
    [],
    "it is not loaded before",
  );

  await ben.press("Settings");
  const box = ben.page.getByRole("checkbox", { name: /noise suppression/ });
  await box.check();
  await until("it is loaded", 5_000, () => (loaded.some((url) => /^200 .*rnnoise/.test(url)) ? true : null));
  // The page takes the tick away when it cannot run.
  await until("it runs", 5_000, () =>
    ben.page.evaluate(() => (JSON.parse(localStorage.getItem("railgun")).denoise === true ? true : null)),
  );
  assert.ok(await box.isChecked());
  assert.equal(await ben.page.locator(".toast.bad").count(), 0);

  await box.uncheck();
  await ada.hears(ben);
});
