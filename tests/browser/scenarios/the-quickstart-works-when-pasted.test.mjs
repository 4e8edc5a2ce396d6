import assert from "node:assert/strict";
import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const SDK = fileURLToPath(new URL("../../../control-plane/web/sdk/", import.meta.url));

scenario("the quickstart works when pasted", async (call) => {
  const readme = await readFile(`${SDK}README.md`, "utf8");
  const [, html] = /```html\n([\s\S]*?)```/.exec(readme);
  const [, script] = /<script type="module">([\s\S]*?)<\/script>/.exec(html);
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: `${SDK}../app`, loader: "js" },
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "error",
  });

  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.join();
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  const { page } = ben;
  const serve = (path, contentType, body) =>
    page.route(`${call.server.url}${path}`, (route) => route.fulfill({ contentType, body }));
  await serve("/pasted.js", "text/javascript", outputFiles[0].text);
  await serve("/input-worklet.js", "text/javascript", await readFile(`${SDK}dist/input-worklet.js`, "utf8"));
  // A plain page of the server's own origin, to paste into.
  await page.goto(`${call.server.url}/healthz`);
  await page.setContent(html.replace(script, 'import "/pasted.js";'));

  await ben.press("Join");
  await page.getByText(/^Ada/).waitFor();
  await ben.hears(ada);
  await ada.hears(ben);
  await ben.press("Mute");
  await ben.button("Unmute").waitFor();
  await ada.hearsNothing(500);
  await ben.press("Leave");
  await until("nobody is listed", 2_000, async () =>
    (await page.locator("#people li").count()) === 0 ? true : null,
  );
  await ada.sees(1);
  assert.ok(html.includes('from "@railgun/voice"'));
});
