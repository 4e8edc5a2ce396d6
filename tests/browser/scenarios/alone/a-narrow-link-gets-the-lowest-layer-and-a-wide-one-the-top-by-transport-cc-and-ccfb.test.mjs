/** Bandwidth estimation with stock receivers: one reports by transport-cc, one by RFC 8888 (Chromium's field trial). */
import assert from "node:assert/strict";
import { CCFB_TRIAL, launchBrowser } from "../../lib/browser.mjs";
import { scenario } from "../../lib/call.mjs";
import { WIDTHS } from "../../lib/layers.mjs";
import { cameraInLayers, seenOver } from "../../lib/links.mjs";
import { CAST } from "../../lib/person.mjs";
import { standalone } from "../../lib/server.mjs";

const [LOW, , TOP] = WIDTHS;
const WIDE_AT = 10;
const link = { way: { rate: 300_000, queue: 300 }, then: { [WIDE_AT]: { rate: 5_000_000 } }, seconds: 22 };
/** Seconds from a wide link to the top layer, and of frozen pictures, on a machine that encodes and decodes all of it. */
const TOP_WITHIN = 8;
const FROZEN_MAX = 2;

scenario(
  "a narrow link gets the lowest layer and a wide one the top, by transport-cc and by RFC 8888",
  async (call) => {
    const reporting = await launchBrowser({ trial: CCFB_TRIAL });
    try {
      const sender = await cameraInLayers(call);
      const [near, far] = await Promise.all([
        seenOver(call, sender, link, { as: CAST[1] }),
        seenOver(call, sender, link, { as: CAST[2], browser: reporting }),
      ]);
      assert.match(near.answer, /transport-cc/);
      assert.doesNotMatch(near.answer, /ack ccfb/);
      assert.match(far.answer, /ack ccfb/);
      assert.doesNotMatch(far.answer, /transport-cc/);
      for (const [name, seen] of Object.entries({ near, far })) {
        const story = `${name}: ${seen.story()}`;
        assert.ok(seen.firstPicture < WIDE_AT / 2, story);
        assert.equal(seen.wide(LOW, 0, WIDE_AT), 100, story);
        assert.ok(seen.until(TOP, WIDE_AT) <= TOP_WITHIN, story);
        assert.ok(seen.frozen(seen.firstPicture) <= FROZEN_MAX, story);
      }
    } finally {
      await reporting.close();
    }
  },
  { start: () => standalone({ settings: { RAILGUN_RTC_CCFB: "true" } }) },
);
