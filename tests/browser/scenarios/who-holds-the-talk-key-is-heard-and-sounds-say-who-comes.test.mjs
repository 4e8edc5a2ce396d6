import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";
import { until } from "../lib/wait.mjs";

scenario("who holds the talk key (push-to-talk) is heard, and nobody hears them afterwards", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.join();
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.press("Join muted");
  await recordsMediaKeys(ben);
  await ben.join();
  await ada.sees(2);
  await ada.hearsNothing(1_000, 0);
  await ben.page.keyboard.down("t");
  await ada.hears(ben);
  await ben.page.keyboard.up("t");
  await ben.button("Unmute").waitFor();
  await ada.hearsNothing(1_000);
  // Quicker than the microphone: what was asked for last holds.
  await ben.page.keyboard.press("t");
  await ben.button("Unmute").waitFor();
  await ada.hearsNothing(1_000);

  // The mute key of a headset or of the system, whichever window is in front (Media Session).
  const isOn = () => ben.page.evaluate(() => window.microphoneActive);
  assert.equal(await isOn(), false);
  await ben.page.evaluate(() => window.mediaKeys.togglemicrophone());
  await ada.hears(ben);
  assert.equal(await isOn(), true);
  await ben.page.evaluate(() => window.mediaKeys.togglemicrophone());
  await ben.button("Unmute").waitFor();
  await ben.page.evaluate(() => window.mediaKeys.hangup());
  await ada.sees(1);
});

/** No automation presses a key of the system: what the page does at one is called. */
function recordsMediaKeys({ page }) {
  return page.evaluate(() => {
    window.mediaKeys = {};
    Object.assign(MediaSession.prototype, {
      setActionHandler: (action, handler) => (window.mediaKeys[action] = handler),
      setMicrophoneActive: (on) => (window.microphoneActive = on),
    });
  });
}

scenario("a sound says who comes and goes, and none does when they are switched off", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.join();
  await ada.page.evaluate(() => {
    window.notes = [];
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (...when) {
      window.notes.push(this.frequency.value);
      return start.apply(this, when);
    };
  });
  const plays = (what, notes) =>
    until(`${what} is heard`, 3_000, async () => {
      const played = await ada.page.evaluate(() => window.notes.splice(0));
      if (played.length === 0) return null;
      assert.deepEqual(played, notes, what);
      return true;
    });
  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join();
  await plays("a join", [440, 660]);
  await ada.press("Mute");
  await plays("a mute", [300]);
  await ben.press("Leave");
  await plays("a leave", [440, 330]);

  await ada.press("Settings");
  await ada.page.getByLabel("Sounds").uncheck();
  await ada.page.keyboard.press("Escape");
  await ben.join();
  await ada.sees(2);
  await ada.press("Unmute");
  await ada.button("Mute", { exact: true }).waitFor();
  assert.deepEqual(await ada.page.evaluate(() => window.notes), []);
});
