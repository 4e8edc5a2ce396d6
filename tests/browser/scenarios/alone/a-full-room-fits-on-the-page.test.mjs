import assert from "node:assert/strict";
import { scenario } from "../../lib/call.mjs";
import { invitePeople } from "../../lib/load.mjs";
import { CONNECT_MS, PageUser } from "../../lib/page.mjs";

/** The room takes six videos. */
const VIDEOS = 6;

scenario("a full room fits on the page", async (call) => {
  const xenia = await PageUser.open(call, "Xenia", { tone: 500 });
  await xenia.join();
  const few = invitePeople(call, 5, { video: 5 });
  await xenia.sees(6, CONNECT_MS);
  await xenia.playsVideos(5);
  await fits(xenia);
  await xenia.picture("call-6");
  await few.stop();
  await xenia.sees(1, CONNECT_MS);

  const xaver = await PageUser.open(call, "Xaver", {
    tone: 770,
    viewport: { width: 390, height: 800 },
    colorScheme: "dark",
  });
  await xaver.join();
  invitePeople(call, 23, { video: VIDEOS });
  for (const person of [xenia, xaver]) {
    await person.sees(25, CONNECT_MS);
    await person.playsVideos(VIDEOS);
    await fits(person);
  }
  await xenia.picture("call-25");
  await xaver.picture("call-25-narrow");
});

/** Every tile is in sight, whole. */
async function fits({ name, page }) {
  const outside = await page.$$eval(".tile", (tiles) =>
    tiles
      .map((tile) => tile.getBoundingClientRect())
      .filter(({ top, left, right, bottom, width }) => {
        const isInside = top >= 0 && left >= 0 && right <= innerWidth && bottom <= innerHeight;
        return !isInside || width < 40;
      }),
  );
  assert.deepEqual(outside, [], `tiles that ${name} does not see whole`);
}
