import assert from "node:assert/strict";
import { isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { freePort, standalone } from "../lib/server.mjs";
import { Project } from "../lib/stranger.mjs";
import { until } from "../lib/wait.mjs";

for (const example of ["react", "plain"]) {
  const port = await freePort();
  const origin = `http://localhost:${port}`;

  scenario(
    `a stranger with the npm packages and Vite has a call: ${example}`,
    async (call) => {
      const project = await Project.copyOf(example);
      try {
        const people = [
          await PageUser.open(call, "Ada", { tone: 500 }),
          await PageUser.open(call, "Ben", { tone: 770 }),
        ];
        for (const { page } of people) await page.addInitScript(recordWorklets);
        const vite = await project.serve("dev", port, call.server.url);
        await haveACall(call, people, origin, example);
        await people[0].picture(`stranger-${example}`);

        // And as it is deployed.
        await vite.stop();
        await project.build(call.server.url);
        await project.serve("preview", port, call.server.url);
        await haveACall(call, people, origin, example);
      } finally {
        await project.remove();
      }
    },
    { start: () => standalone({ origins: [origin] }) },
  );
}

/** What processes the microphone is loaded by URL, which a bundler may lose; a call goes on without it. */
function recordWorklets() {
  window.worklets = [];
  const { addModule } = AudioWorklet.prototype;
  AudioWorklet.prototype.addModule = async function (url, ...options) {
    const error = await addModule.call(this, url, ...options).then(
      () => null,
      (thrown) => thrown,
    );
    window.worklets.push({ url: String(url), error: error && String(error) });
    if (error) throw error;
  };
}

async function haveACall(call, people, origin, example) {
  const [ada, ben] = people;
  for (const { page } of people) {
    // Another fragment alone would not load the page anew.
    await page.goto(`${call.server.url}/healthz`);
    await page.goto(`${origin}/#secret=${call.server.secret}`);
    await page.getByRole("button", { name: "Join call" }).click();
    // Vite makes small files part of the script.
    const loaded = await until("the microphone's worklet is loaded", 10_000, () =>
      page.evaluate(() => window.worklets.find(({ url }) => /input-worklet|^data:/.test(url))),
    );
    assert.equal(loaded.error, null, `${loaded.url.slice(0, 80)} is there`);
  }
  await ada.hears(ben);
  await ben.hears(ada);
  await ben.press("Mute");
  await ben.button("Unmute").waitFor();
  await ada.hearsNothing(1_000);
  await ben.press("Unmute");
  await ada.hears(ben);
  for (const person of people) await isAccessible(person, `the call of the example ${example}`);
  const others = example === "react" ? "figure" : "#people li";
  const count = example === "react" ? 2 : 1;
  await until("everybody is shown", 2_000, async () =>
    (await ada.page.locator(others).count()) === count ? true : null,
  );
  if (example === "react") {
    await ben.press("Start camera");
    await until("Ada sees Ben", 10_000, async () =>
      (await ada.page.$$eval("video", (videos) => videos.some(({ videoWidth }) => videoWidth > 0))) ? true : null,
    );
    await ben.press("Stop camera");
  }
  await ben.press("Leave");
  await until("Ben is gone", 2_000, async () =>
    (await ada.page.locator(others).count()) === count - 1 ? true : null,
  );
}
