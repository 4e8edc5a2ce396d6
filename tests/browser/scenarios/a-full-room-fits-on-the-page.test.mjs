import assert from "node:assert/strict";
import { clientScript } from "../lib/bundle.mjs";
import { scenario } from "../lib/call.mjs";
import { CONNECT_MS, PageUser } from "../lib/page.mjs";

const NAMES = (
  "Grace Alan Katherine Linus Margaret Dennis Barbara Ken Radia Edsger Hedy Claude " +
  "Annie Tim Joan Vint Frances Niklaus Sophie Guido Mary John Evelyn Bjarne"
).split(" ");
/** The room takes six videos. */
const COLOURS = [
  [200, 90, 60],
  [60, 130, 200],
  [70, 160, 110],
  [160, 100, 190],
  [210, 160, 60],
  [90, 110, 140],
];

scenario("a full room fits on the page", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  const ben = await PageUser.open(call, "Ben", {
    tone: 770,
    viewport: { width: 390, height: 800 },
    colorScheme: "dark",
  });
  await ada.join();
  const crowd = await openCrowd(call);
  await arrive(call, crowd, NAMES.slice(0, 5), COLOURS);
  await ada.sees(6, CONNECT_MS);
  await ada.playsVideos(5);
  await fits(ada);
  await ada.picture("call-6");

  await arrive(call, crowd, NAMES.slice(5, 23), COLOURS.slice(5));
  await ben.join();
  for (const person of [ada, ben]) {
    await person.sees(25, CONNECT_MS);
    await person.playsVideos(6);
    await fits(person);
  }
  await ada.picture("call-25");
  await ben.picture("call-25-narrow");
});

async function openCrowd(call) {
  const page = await (await call.browser.newContext()).newPage();
  await page.goto(`${call.server.url}/healthz`);
  await page.evaluate(await clientScript());
  return page;
}

/** More people in one page; the first of them send a colour. */
async function arrive(call, crowd, names, colours) {
  for (const [index, name] of names.entries()) {
    const join = { userId: name, token: await call.server.token(name, "pro"), mode: "ack", channel: "lobby" };
    await crowd.evaluate(
      async ([options, colour]) => {
        const client = window.newClient();
        // They are there to be seen, and receive nothing.
        await client.joinOnly(options);
        if (colour) await client.publishColour(colour);
      },
      [join, colours[index] ?? null],
    );
  }
}

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
