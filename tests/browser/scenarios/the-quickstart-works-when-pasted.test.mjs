import assert from "node:assert/strict";
import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { freePort, standalone } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

const SDK = fileURLToPath(new URL("../../../control-plane/web/sdk/", import.meta.url));

/** The README's page. `server`: in place of the one that it names, which a test cannot have. */
async function quickstart(server) {
  const readme = await readFile(`${SDK}README.md`, "utf8");
  const [, html] = /```html\n([\s\S]*?)```/.exec(readme);
  const [, script] = /<script type="module">([\s\S]*?)<\/script>/.exec(html);
  assert.ok(script.includes('const url = "http://127.0.0.1:8080";'));
  assert.ok(script.includes('from "@railgun/voice"'));
  const contents = script.replace("http://127.0.0.1:8080", server);
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: `${SDK}../app`, loader: "js" },
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "error",
  });
  return { html: html.replace(script, 'import "/pasted.js";'), script: outputFiles[0].text };
}

/** An application of one's own on this port: its page and its bundle. */
async function application(port, { html, script }) {
  const files = {
    "/": ["text/html", `<!doctype html>${html}`],
    "/pasted.js": ["text/javascript", script],
    "/input-worklet.js": ["text/javascript", await readFile(`${SDK}dist/input-worklet.js`, "utf8")],
  };
  const server = createServer((request, response) => {
    const [type, body] = files[request.url] ?? ["text/plain", ""];
    response.writeHead(files[request.url] ? 200 : 404, { "content-type": type }).end(body);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "localhost", resolve));
  return server;
}

const port = await freePort();
const origin = `http://localhost:${port}`;

scenario(
  "the quickstart works when pasted into an app of one's own",
  async (call) => {
    const ada = await PageUser.open(call, "Ada", { tone: 500 });
    await ada.join();
    const ben = await PageUser.open(call, "Ben", { tone: 770 });
    const { page } = ben;
    const app = await application(port, await quickstart(call.server.url));
    try {
      await page.goto(`${origin}/#secret=${call.server.secret}`);
      await ben.press("Join");
      await page.getByText(/^Ada/).waitFor();
      assert.equal(page.url(), `${origin}/`);
      await ben.hears(ada);
      await ada.hears(ben);
      await ben.press("Mute");
      await ben.button("Unmute").waitFor();
      await ada.hearsNothing(1_000);
      await ben.press("Leave");
      await until("nobody is listed", 2_000, async () =>
        (await page.locator("#people li").count()) === 0 ? true : null,
      );
      await ada.sees(1);
    } finally {
      app.closeAllConnections();
      app.close();
    }
  },
  { start: () => standalone({ origins: [origin] }) },
);
