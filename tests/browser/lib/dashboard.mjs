/** A Prometheus that scrapes a server of the tests, and what the Grafana dashboard of `deploy/monitoring` shows of it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, installed } from "./server.mjs";

const DASHBOARD = fileURLToPath(new URL("../../../deploy/monitoring/dashboard.json", import.meta.url));
const UPLOT = fileURLToPath(new URL("../node_modules/uplot/dist/", import.meta.url));
const CLIENT = fileURLToPath(new URL("../client/dashboard.js", import.meta.url));
/** Pixels of a unit of the dashboard's grid. */
const ROW = 30;
/** Seconds between two points of a line. */
const STEP_S = 5;

/** Debian's, every 5 s. `PROMETHEUS` is where it is, if elsewhere. Ends with the server; `draw(browser, file)` is its dashboard. */
export async function watchedByPrometheus(server) {
  const [folder, port] = [await mkdtemp(join(tmpdir(), "railgun-prometheus-")), await freePort()];
  const config = join(folder, "prometheus.yml");
  await writeFile(
    config,
    `global: {scrape_interval: 5s}\nscrape_configs: [{job_name: railgun, static_configs: [{targets: ["${server.operators}"]}]}]\n`,
  );
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${folder}`, `--web.listen-address=127.0.0.1:${port}`];
  const url = `http://127.0.0.1:${port}`;
  const program = process.env.PROMETHEUS ?? installed("prometheus");
  await server.startProgram("prometheus", flags, {}, `${url}/-/ready`, program);
  const since = Date.now() / 1_000;
  return {
    draw: (browser, file) => draw(browser, file, url, since),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Gives the titles of panels without a line. */
async function draw(browser, file, url, since) {
  const { title, panels } = JSON.parse(await readFile(DASHBOARD, "utf8"));
  const drawn = await Promise.all(
    panels.map(async ({ targets = [], gridPos, ...panel }) => {
      const lines = (await Promise.all(targets.map((target) => linesOf(target, url, since)))).flat();
      return { title: panel.title, type: panel.type, unit: panel.fieldConfig?.defaults?.unit, gridPos, lines };
    }),
  );
  const page = await browser.newPage({ viewport: { width: 1_500, height: 900 } });
  await page.setContent(`<!doctype html><title>${title}</title><h1>${title}</h1><main></main>`);
  await page.addStyleTag({ path: `${UPLOT}uPlot.min.css` });
  await page.addScriptTag({ path: `${UPLOT}uPlot.iife.min.js` });
  await page.addScriptTag({ path: CLIENT });
  await page.evaluate(([panels, row]) => window.drawPanels(panels, row), [drawn, ROW]);
  await page.screenshot({ path: file, fullPage: true });
  await page.close();
  return drawn.filter(({ type, lines }) => type !== "row" && lines.length === 0).map((it) => it.title);
}

async function linesOf({ expr, legendFormat }, url, since) {
  const query = new URLSearchParams({ query: expr, start: since, end: Date.now() / 1_000, step: STEP_S });
  const response = await fetch(`${url}/api/v1/query_range?${query}`, { signal: AbortSignal.timeout(10_000) });
  const { status, error, data } = await response.json();
  if (status !== "success") throw new Error(`${expr}: ${error}`);
  return data.result.map(({ metric, values }) => ({
    name: legendFormat?.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? "") ?? JSON.stringify(metric),
    points: values.map(([at, value]) => [at, Number(value)]),
  }));
}
