import type { VoiceOptions } from "../types";

/** How long before its end a token is replaced, and the least between two tries. */
const AHEAD_MS = 60_000;
const PAUSE_MIN_MS = 15_000;
/** Of a token that is short-lived: replaced after this part of its life. */
const PART = 0.8;
const TIMER_MAX_MS = 2 ** 31 - 1;

type Claims = { iat?: number; exp?: number };

/**
 * Keeps Pro alive: what a token says ends with the token. When the application gives a function for it, a
 * fresh one is asked for in time and handed on.
 */
export class TokenRenewal {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #latest: string | null = null;
  readonly #ask: (() => string | Promise<string>) | null;

  constructor(
    token: VoiceOptions["token"],
    private readonly refresh: (token: string) => Promise<unknown>,
  ) {
    this.#ask = typeof token === "function" ? token : null;
  }

  /** The application's function, overheard; a token that is fixed stays as it is. */
  get token(): VoiceOptions["token"] | null {
    const ask = this.#ask;
    return ask && (async () => (this.#latest = await ask()));
  }

  /** A call goes on with the token that was asked for last. */
  start(): void {
    this.stop();
    const delay = this.#latest === null ? null : untilRenewal(this.#latest, Date.now());
    if (this.#ask && delay !== null) this.#timer = setTimeout(() => void this.#renew(), delay);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #renew(): Promise<void> {
    const before = this.#latest;
    const token = await Promise.resolve(this.#ask?.()).catch(() => null);
    if (token && token !== before) {
      await this.refresh(token).then(
        () => (this.#latest = token),
        () => undefined,
      );
    }
    // Nothing new, or the server out of reach: again, until the old one has ended.
    const ends = (claimsOf(this.#latest ?? "").exp ?? 0) * 1_000;
    if (this.#latest !== before) this.start();
    else if (ends > Date.now()) this.#timer = setTimeout(() => void this.#renew(), PAUSE_MIN_MS);
  }
}

/** Milliseconds until a token that was just given should be replaced; null if it does not say when it ends. */
export function untilRenewal(token: string, now: number): number | null {
  const { iat, exp } = claimsOf(token);
  if (typeof exp !== "number") return null;
  // The clock of this device may be wrong; no token is younger than it says.
  const left = Math.min(1_000 * exp - now, typeof iat === "number" ? 1_000 * (exp - iat) : Infinity);
  return Math.min(TIMER_MAX_MS, Math.max(PAUSE_MIN_MS, Math.max(left - AHEAD_MS, Math.min(left * PART, left - PAUSE_MIN_MS))));
}

/** Read, not checked: that is the server's part. */
function claimsOf(token: string): Claims {
  try {
    const [, claims = ""] = token.split(".");
    return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as Claims;
  } catch {
    return {};
  }
}
