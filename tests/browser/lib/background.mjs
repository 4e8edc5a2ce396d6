/** Chromium whose tabs can be in the background: Playwright keeps each of its pages in sight. */
import puppeteer from "puppeteer-core";
import { browserArguments, browserPath } from "./browser.mjs";
import { listenerScript } from "./bundle.mjs";
import { joinByKeyboard } from "./page.mjs";

/** What automation switches off: fewer timers and less processor for what is not in sight. */
const KEPT_AWAKE = ["--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"];

export async function launchInWindow() {
  const browser = await puppeteer.launch({
    executablePath: browserPath(),
    headless: true,
    ignoreDefaultArgs: KEPT_AWAKE,
    args: browserArguments(),
    timeout: 30_000,
  });
  return {
    close: () => browser.close(),
    /** Somebody in a call, in a window with another tab: `hide` and `show` put that one before the call's, or behind. */
    async join(call, name, tone) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      const settings = JSON.stringify({ microphone: { tone } });
      await page.evaluateOnNewDocument(`window.testSettings = ${settings};\n${await listenerScript()}`);
      await page.goto(`${call.server.url}/#secret=${call.server.secret}`);
      const person = await joinByKeyboard(call, page, name, tone);
      const other = await context.newPage();
      await page.bringToFront();
      return Object.assign(person, { hide: () => other.bringToFront(), show: () => page.bringToFront() });
    },
  };
}
