/** Names a browser profile, or a tab, among its user's devices. */
const KEY = "railgun.deviceId";
const BYTES = 16;

/** For where nothing can be stored: the same until the page is left. */
const unstored = random();

/**
 * Random, and kept for the origin in this browser profile: a join from another tab of it replaces this one's,
 * and another browser or machine is another device.
 */
export function deviceIdOfProfile(): string {
  return kept("localStorage");
}

/** As `deviceIdOfProfile`, kept for this tab alone: two tabs are two devices. */
export function deviceIdOfTab(): string {
  return kept("sessionStorage");
}

function kept(storage: "localStorage" | "sessionStorage"): string {
  try {
    const stored = globalThis[storage].getItem(KEY);
    if (stored) return stored;
    const fresh = random();
    globalThis[storage].setItem(KEY, fresh);
    return fresh;
  } catch {
    return unstored;
  }
}

function random(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
