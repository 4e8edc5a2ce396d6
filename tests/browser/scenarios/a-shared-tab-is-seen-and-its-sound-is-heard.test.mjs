import assert from "node:assert/strict";
import { clientScript } from "../lib/bundle.mjs";
import { scenario } from "../lib/call.mjs";
import { callOfTwo, CONNECT_MS } from "../lib/page.mjs";
import { CAST, CHANNEL, Person } from "../lib/person.mjs";
import { until } from "../lib/wait.mjs";

const TITLE = "A lecture";
const LECTURE = { name: "the lecture", tone: 1500 };
const COLOUR = [200, 120, 40];
const COLOUR_TOLERANCE = 60;

scenario(
  "a shared tab is seen, and its sound is heard",
  async (call) => {
    const [ada, ben] = await callOfTwo(call, { channel: CHANNEL, signed: true });
    // A client of the contract and nothing else: it is told the source of what it receives.
    const cleo = await Person.join(call, CAST[2], { sends: [], tier: "free" });
    await giveLecture(call, ben.page.context());

    await ben.press("Share screen");
    await ada.playsVideos(1);
    await ada.hears(LECTURE);
    await ada.hears(ben);
    await ada.page.locator(".tile.screen video").waitFor();
    // Large for who is shown it, and a tile among others for who shares it: it would show itself in itself.
    assert.ok((await partOfStage(ada)) > 0.6, `Ada sees it on ${await partOfStage(ada)} of the stage`);
    assert.ok((await partOfStage(ben)) < 0.4, `Ben sees it on ${await partOfStage(ben)} of the stage`);
    await until("the picture is the tab's", CONNECT_MS, async () =>
      isAlike(await middle(ada)) ? true : null,
    );
    await until("Cleo receives everything", CONNECT_MS, async () => {
      const { received } = await cleo.describe();
      return received.includes("Ben screen") && received.includes("Ben screenAudio") ? true : null;
    });

    // Muted is the microphone, not what is shared.
    await ben.press("Mute");
    await ada.seesThat(ben, "muted");
    await until("the microphone falls silent", CONNECT_MS, async () => {
      const since = Date.now();
      await ada.hears(LECTURE);
      return (await ada.tonesSince(since)).every((hertz) => Math.abs(hertz - ben.tone) > 50) ? true : null;
    });

    await ben.press("Stop sharing");
    await ada.playsVideos(0);
    await ada.hearsNothing(1_000);
    assert.deepEqual((await cleo.describe()).received, ["Ada mic", "Ben mic"]);

    assert.deepEqual(await refusal(cleo), {
      code: "CAPABILITY_REQUIRED",
      details: { capability: "SCREEN_SHARE" },
    });
  },
  { browser: { sharesTab: TITLE } },
);

/** A tab with a colour and a tone, beside Ben's call. */
async function giveLecture(call, context) {
  const page = await context.newPage();
  await page.goto(`${call.server.url}/healthz`);
  await page.evaluate(await clientScript());
  await page.evaluate(
    ([title, colour, tone]) => {
      document.title = title;
      document.body.style.background = `rgb(${colour})`;
      window.playTone(tone);
    },
    [TITLE, COLOUR, LECTURE.tone],
  );
}

/** Of the stage's area, what the shared screen takes. */
function partOfStage({ page }) {
  return page.evaluate(() => {
    const [screen, stage] = [".tile.screen", ".stage"].map((it) => document.querySelector(it).getBoundingClientRect());
    return (screen.width * screen.height) / (stage.width * stage.height);
  });
}

/** The colour in the middle of the screen that Ada is shown. */
function middle(ada) {
  return ada.page.$eval(".tile.screen video", (video) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 9 });
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 16, 9);
    return [...context.getImageData(8, 5, 1, 1).data.slice(0, 3)];
  });
}

function isAlike(colour) {
  return colour.every((value, index) => Math.abs(value - COLOUR[index]) <= COLOUR_TOLERANCE);
}

/** What a Free user is told who sends the sound of a screen all the same. */
function refusal(person) {
  return person.ask((client) =>
    client.publishTone(900, "screenAudio").then(
      () => null,
      ({ code, details }) => ({ code, details }),
    ),
  );
}
