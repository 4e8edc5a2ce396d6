import { VoiceError } from "@railgun/voice";
import { kept } from "./address";
import { t } from "./texts";

export type Tier = "free" | "pro";

/** No token to join with; the message is meant for the user. */
export class NoToken extends Error {}

/** The token that the page was opened with, or one for trials from a server in development mode. */
export async function tokenFor(name: string, tier: Tier): Promise<string> {
  return kept("token") ?? (await mint({ userId: ownId(), tier, name }));
}

/** The name that a token of one's own gives its user; null where it gives none, or there is no such token. */
export function nameInToken(): string | null {
  const { name } = claims();
  return typeof name === "string" ? name : null;
}

/** One's own picture, as the others are told of it; the page's policy lets none come from a host that is not listed. */
export function avatarInToken(): string | null {
  const { avatar, privacyMode } = claims();
  return typeof avatar === "string" && privacyMode !== true ? avatar : null;
}

function claims(): { name?: unknown; avatar?: unknown; privacyMode?: unknown } {
  try {
    const part = kept("token")?.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (it) => it.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
}

/** Whether the page can make tokens for others. */
export function canInvite(): boolean {
  return kept("token") === null && kept("secret") !== null;
}

/**
 * A link for one other person: a token of a user of its own, good for a day, and never the secret, with
 * which whoever has it could be anybody. `key`: of an encrypted call.
 */
export async function invitation(name: string, channel: string, key: string | null): Promise<string> {
  const token = await mint({ userId: freshId(), tier: "pro", name });
  return `${location.origin}/#${new URLSearchParams({ token, channel, ...(key && { key }) })}`;
}

async function mint(wanted: { userId: string; tier: Tier; name: string }): Promise<string> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...wanted, secret: kept("secret") ?? "" }),
  }).catch(() => {
    throw new VoiceError("UNREACHABLE", "the server cannot be reached");
  });
  if (response.status === 403) throw new NoToken(t.errors.openPrintedLink);
  if (response.status === 429) throw new NoToken(t.errors.wrongSecrets);
  if (!response.ok) {
    throw new NoToken(t.errors.noTrialTokens);
  }
  const { token } = (await response.json()) as { token: string };
  return token;
}

/** One identity per tab, so that two tabs are two people. */
function ownId(): string {
  const stored = sessionStorage.getItem("userId");
  if (stored) return stored;
  const fresh = freshId();
  sessionStorage.setItem("userId", fresh);
  return fresh;
}

function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `trial-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
