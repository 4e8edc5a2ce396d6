import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { PageUser } from "../../lib/page.mjs";
import { sleep, until } from "../../lib/wait.mjs";

const REPORTED_MS = 20_000;
/** The score is told every ten seconds and counted when the call is over. */
const CALL_MS = 35_000;
const LOSS = 0.3;
/** The call's first look is reported alone, before the path became bad: it lifts the mean of four reports by 0.4. */
const APART_MAX = 0.8;

scenario("what a call was like reaches the server's metrics", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    const refused = [];
    // The browser's own word about its network, for one of them.
    const ada = await PageUser.open(call, "Ada", { tone: 500, network: "wifi" });
    const ben = await PageUser.open(call, "Ben", { tone: 770, ports: way.ports });
    for (const { page } of [ada, ben])
      page.on("console", (message) => /was refused/.test(message.text()) && refused.push(message.text()));
    await ada.join();
    await ben.join("Free");
    await ada.hears(ben);
    way.become({ loss: LOSS });
    await ben.press("Start camera");
    await ben.press("Get Pro");
    await counts(call, "an offer was shown", /ui_events_total\{kind="upgrade_cta_shown"\} 1$/m);
    await counts(call, "it was clicked", /ui_events_total\{kind="upgrade_cta_clicked"\} 1$/m);
    await counts(
      call,
      "media connected",
      /join_media_total\{[^}]*network="wifi"[^}]*outcome="connected"[^}]*\} 1$/m,
    );
    await closeOffer(ben);

    // A bad call in the panel ...
    await ben.press("Quality");
    await ben.page.getByText("Direct (UDP)").waitFor();
    const shown = { mos: [], loss: [] };
    for (const end = Date.now() + CALL_MS; Date.now() < end; await sleep(2_000)) {
      const { mos, loss } = await panel(ben);
      if (mos !== null) shown.mos.push(mos);
      if (loss !== null) shown.loss.push(loss);
    }
    await ben.picture("a-bad-call");
    const loss = mean(shown.loss.slice(2));
    assert.ok(loss > 18 && loss < 42, `30 % are lost each way, and the panel says ${shown.loss}`);

    // ... is the same bad call in the metrics, and Ada's is hers.
    await ben.press("Leave");
    const metrics = await counts(call, "one call's score", /call_mos_count 1$/m);
    const score = Number(/call_mos_sum ([\d.]+)/.exec(metrics)[1]);
    const said = `panel ${shown.mos} (${mean(shown.mos)}), server ${score}`;
    assert.ok(Math.abs(score - mean(shown.mos)) < APART_MAX, said);
    assert.ok(score < 3, said);
    assert.match(metrics, /bad_calls_total 1$/m, said);
    assert.match(metrics, /call_paths_total\{[^}]*="udp"[^}]*\} 1$/m);
    assert.deepEqual(refused, [], "the server takes every report");

    await ada.press("Leave");
    await counts(call, "the other's as well", /call_mos_count 2$/m);
  } finally {
    way.close();
  }
});

/** The offer is in the way of what is behind it. */
async function closeOffer({ page }) {
  await page.keyboard.press("Escape");
}

async function panel({ page }) {
  const text = (await page.locator("#stats").textContent()) ?? "";
  const number = (pattern) => {
    const [, digits] = pattern.exec(text) ?? [];
    return digits === undefined ? null : Number(digits);
  };
  return { mos: number(/Call quality(\d\.\d)/), loss: number(/Loss([\d.]+) %/) };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

async function counts(call, what, line) {
  let metrics = "";
  await until(
    () =>
      `${what}: ${metrics
        .split("\n")
        .filter((it) => /ui_events|join_media|call_/.test(it))
        .join("\n")}`,
    REPORTED_MS,
    async () => (line.test((metrics = await call.server.metrics())) ? true : null),
  );
  return metrics;
}
