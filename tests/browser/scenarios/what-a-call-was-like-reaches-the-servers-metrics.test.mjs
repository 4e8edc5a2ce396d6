import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

const REPORTED_MS = 20_000;

scenario("what a call was like reaches the server's metrics", async (call) => {
  // The browser's idea of the network, which headless ones have none of.
  const [ada, ben] = await callOfTwo(call, { ada: { network: "wifi" }, tier: "Free" });
  await ada.hears(ben);
  await ben.press("Start camera");
  await ben.press("Get Pro");
  await counts(call, "an offer was shown", /ui_events_total\{kind="upgrade_cta_shown"\} 1$/m);
  await counts(call, "it was clicked", /ui_events_total\{kind="upgrade_cta_clicked"\} 1$/m);
  await counts(
    call,
    "media connected",
    /join_media_total\{[^}]*network="wifi"[^}]*outcome="connected"[^}]*\} 1$/m,
  );

  // The score is told every ten seconds and counted when the call is over.
  await ada.press("Quality");
  await ada.page.getByText("Direct (UDP)").waitFor();
  await ada.press("Leave");
  await counts(call, "a call and its score", /call_mos_count [1-9]/m);
  await counts(call, "its path", /call_paths_total\{[^}]*="udp"[^}]*\} [1-9]/m);
});

function counts(call, what, line) {
  let metrics = "";
  return until(
    () =>
      `${what}: ${metrics
        .split("\n")
        .filter((it) => /ui_events|join_media|call_/.test(it))
        .join("\n")}`,
    REPORTED_MS,
    async () => (line.test((metrics = await call.server.metrics())) ? true : null),
  );
}
