import { VoiceError } from "@railgun/voice";

export type Tier = "free" | "pro";

/** No token to join with; the message is meant for the user. */
export class NoToken extends Error {}

/** A token handed to the page in its address, as `#token=…`; a fragment never reaches a server. */
export function tokenFromAddress(): string | null {
  return new URLSearchParams(location.hash.slice(1)).get("token");
}

/** The given token, or one for trials, which only a server on this machine gives out. */
export async function tokenFor(name: string, tier: Tier): Promise<string> {
  const given = tokenFromAddress();
  if (given) return given;
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ userId: userId(), tier, name }),
  }).catch(() => {
    throw new VoiceError("UNREACHABLE", "the server cannot be reached");
  });
  if (!response.ok) {
    throw new NoToken("This server gives out no trial tokens. Open the page with #token= and your token.");
  }
  const { token } = (await response.json()) as { token: string };
  return token;
}

/** One identity per tab, so that two tabs are two people. */
function userId(): string {
  const stored = sessionStorage.getItem("userId");
  if (stored) return stored;
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const fresh = `trial-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  sessionStorage.setItem("userId", fresh);
  return fresh;
}
