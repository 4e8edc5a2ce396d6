import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { withoutNamespaces } from "../lib/network.mjs";
import { callOfTwo, PageUser, pathsOf, SEEN_MS } from "../lib/page.mjs";
import { besideARelay } from "../lib/relay.mjs";

/** Any picture of the page's own origin. */
const PICTURE = ["--avatar", "/icon.svg"];

scenario(
  "privacy mode goes through the relay, and others need not",
  async (call) => {
    const [ada, ben] = await callOfTwo(call, {
      ada: { token: await call.server.token("Ada", "pro", "--privacy-mode", ...PICTURE) },
      ben: { token: await call.server.token("Ben", "pro", ...PICTURE) },
      camera: true,
      signed: true,
    });
    await ada.hears(ben);
    await ben.hears(ada);

    await ada.press("Quality");
    await ada.page.getByText("Relay (TURN)").waitFor();
    await ben.press("Quality");
    await ben.page.getByText("Direct (UDP)").waitFor();
    const paths = await pathsOf(ada);
    assert.ok(paths.length > 0 && paths.every(({ local }) => local === "relay"), JSON.stringify(paths));
    // Nothing else was even gathered: it would tell the server where Ada is.
    assert.deepEqual(await ada.page.evaluate(() => window.candidatesGathered()), ["relay"]);

    // Pictures of people, by their tokens: Ada loads none and is shown by none, not even before a join.
    assert.deepEqual(await picturesOf(ada), []);
    await ben.press("People");
    assert.deepEqual(await picturesOf(ben), ["Ben (you)", "Ben (you)"]);
    const cleo = await PageUser.open(call, "Cleo", { token: await call.server.token("Cleo", "pro") });
    await cleo.page.getByText("Ada and Ben are in this channel.").waitFor({ timeout: SEEN_MS });
    assert.deepEqual(await picturesOf(cleo), ["B"]);
    await cleo.join();
    assert.deepEqual(await picturesOf(cleo), ["Ben", "Ben"]);
    await cleo.picture("pictures-of-people");
  },
  { start: besideARelay, skip: withoutNamespaces() },
);

/** Whose pictures are shown, each loaded and without a referrer. */
function picturesOf({ page }) {
  return page.$$eval("img.picture", (pictures) =>
    Promise.all(
      pictures.map(async (picture) => {
        await picture.decode();
        if (picture.referrerPolicy !== "no-referrer") throw new Error("it tells where it is shown");
        const of = picture.closest("figure, #people li");
        return (of?.querySelector(".name, .who") ?? picture.parentElement).textContent;
      }),
    ),
  );
}
