import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const SDK = fileURLToPath(new URL("../../../control-plane/web/sdk/", import.meta.url));
const REPLACED_MS = 5_000;

/** An application that says nothing of devices. */
const APPLICATION = `
  import { initVoiceService } from "@railgun/voice";
  window.start = async (token) => {
    window.voice = await initVoiceService({ token });
    window.voice.on("ended", (error) => (window.ended = error.details.reason ?? error.code));
    await window.voice.joinChannel("lobby", { muted: true });
  };
`;

scenario("a phone and a laptop of one user both stay, and a browser profile is one device", async (call) => {
  const { outputFiles } = await build({
    stdin: { contents: APPLICATION, resolveDir: `${SDK}../app`, loader: "js" },
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "error",
  });
  const worklet = await readFile(`${SDK}dist/input-worklet.js`, "utf8");
  const token = await call.server.token("Ada", "pro");
  const tabOf = async (context) => {
    const page = await context.newPage();
    const serve = (path, body) =>
      page.route(`${call.server.url}${path}`, (route) =>
        route.fulfill({ contentType: "text/javascript", body }),
      );
    await serve("/application.js", outputFiles[0].text);
    await serve("/input-worklet.js", worklet);
    await page.goto(`${call.server.url}/healthz`);
    await page.setContent('<script type="module" src="/application.js"></script>');
    await page.waitForFunction(() => window.start);
    await page.evaluate((it) => window.start(it), token);
    return page;
  };
  const ended = (page) => page.evaluate(() => window.ended ?? null);

  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join();
  const [phone, laptop] = [await call.browser.newContext(), await call.browser.newContext()];
  const onPhone = await tabOf(phone);
  const onLaptop = await tabOf(laptop);
  await ben.sees(3, REPLACED_MS);
  assert.deepEqual([await ended(onPhone), await ended(onLaptop)], [null, null]);

  // Another tab of the same profile is the same device: it takes the call over.
  const second = await tabOf(laptop);
  await until("the first tab is told", REPLACED_MS, async () =>
    (await ended(onLaptop)) === "replaced" ? true : null,
  );
  await ben.sees(3, REPLACED_MS);
  assert.deepEqual([await ended(onPhone), await ended(second)], [null, null]);
});
