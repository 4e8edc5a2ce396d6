/** Debian's Chromium, headless, with made-up capture devices. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PATHS = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** RFC 8888 congestion control feedback, for `launchBrowser`. */
export const CCFB_TRIAL = "WebRTC-RFC8888CongestionControlFeedback/Enabled,offer:true/";

/** SCReAM, Chromium's scalable congestion control, with which it sends ECT(1). */
export const SCREAM_TRIAL = "WebRTC-Bwe-ScreamV2/Enabled/";

export function browserPath() {
  const path = PATHS.find((name) => name && existsSync(name));
  if (!path) throw new Error("There is no Chromium here; install it with: sudo apt-get install chromium");
  return path;
}

/** As of `launchBrowser`. */
export function browserArguments({ sharesTab, trusted, tls, trial } = {}) {
  return [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream=device-count=2",
    "--autoplay-policy=no-user-gesture-required",
    ...(trial ? [`--force-fieldtrials=${trial}`] : []),
    // The made-up dialog shares a screen of its own, without a sound, whatever is asked for.
    ...(sharesTab
      ? [`--auto-select-tab-capture-source-by-title=${sharesTab}`]
      : ["--use-fake-ui-for-media-stream", "--auto-select-desktop-capture-source=Entire screen"]),
    ...(trusted ? [`--unsafely-treat-insecure-origin-as-secure=${trusted}`] : []),
    ...(tls
      ? [
          `--host-resolver-rules=MAP ${tls.host} ${tls.address}`,
          `--ignore-certificate-errors-spki-list=${tls.keyHash}`,
        ]
      : []),
  ];
}

/**
 * `sharesTab`: the title of the tab that is chosen when a page wants to share something; without it a made-up
 * screen. `wrapped`: gives a program that starts the browser elsewhere. `trusted`: an origin that counts as
 * HTTPS. `tls`: a host, its address, and the hash of its key, whose certificate counts whoever signed it. `trial`: of WebRTC's
 * field trials, what is switched on.
 */
export async function launchBrowser({ sharesTab, wrapped = (path) => path, trusted, tls, trial } = {}) {
  return chromium.launch({
    executablePath: await wrapped(browserPath()),
    headless: true,
    // A tab that plays nothing has no sound to share.
    ignoreDefaultArgs: sharesTab ? ["--mute-audio"] : [],
    timeout: 30_000,
    args: browserArguments({ sharesTab, trusted, tls, trial }),
  });
}
