/** Of end-to-end encryption, what is needed before anybody uses it. */

/** Of the frames' format. */
const VERSION = 1;
/** SFrame's AES-128-GCM and AES-256-GCM. */
const SUITES = [4, 5];
/** In `localStorage`: the channels that this profile was in while they were encrypted. */
export const SEEN_KEY = "railgun.encrypted";

/** What a join says that this browser can do; null: it cannot. */
export function encryptionSupport(): { version: number; suites: number[] } | null {
  const isThere = "RTCRtpScriptTransform" in globalThis && globalThis.crypto?.subtle;
  return isThere ? { version: VERSION, suites: SUITES } : null;
}

let seenHere = false;

/** This page was in one; a browser that stores nothing knows it only so. */
export const markSeen = (): void => void (seenHere = true);

/** Whether this profile was in any encrypted channel. */
export function hasSeenEncrypted(): boolean {
  try {
    return seenHere || localStorage.getItem(SEEN_KEY) !== null;
  } catch {
    return seenHere;
  }
}
