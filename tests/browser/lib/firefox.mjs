/** Debian's Firefox ESR, headless, spoken to over WebDriver BiDi. */
import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";

const PATHS = [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"];

/** `tone`: that of its made-up microphone, in hertz. */
export async function launchFirefox(tone) {
  const executablePath = PATHS.find((path) => path && existsSync(path));
  if (!executablePath)
    throw new Error("There is no Firefox here; install it with: sudo apt-get install firefox-esr");
  const browser = await puppeteer.launch({
    browser: "firefox",
    protocol: "webDriverBiDi",
    executablePath,
    headless: true,
    timeout: 30_000,
    extraPrefsFirefox: {
      // The server is on 127.0.0.1, where Firefox gathers no candidate of its own accord: not at all, and
      // nowhere but on the default route for a page that may not use the microphone.
      "media.peerconnection.ice.loopback": true,
      "permissions.default.camera": 1,
      "permissions.default.microphone": 1,
      "media.navigator.streams.fake": true,
      "media.navigator.audio.fake_frequency": tone,
      "media.autoplay.default": 0,
      "media.autoplay.blocking_policy": 0,
    },
  });
  return { newContext: () => browser.createBrowserContext(), close: () => browser.close() };
}
