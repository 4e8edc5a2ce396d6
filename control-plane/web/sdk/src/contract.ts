/** The contract's numbers as data; docs/state-machine.md is the table that a test compares them with. */

/** How long an operation may take, in milliseconds. */
export const TIMEOUTS = {
  join: 10_000,
  capabilities: 5_000,
  createTransport: 5_000,
  connectTransport: 10_000,
  produce: 5_000,
  /** All tries to get a lost socket back, together. */
  socket: 35_000,
} as const;

/** The waits before each further try, in milliseconds; none means that the user is told at once. */
export const RETRIES = {
  join: [1_000, 2_000, 4_000],
  createTransport: [1_000, 1_000],
  dtls: [1_000, 1_000],
  produce: [],
  socket: [1_000, 2_000, 4_000, 8_000, 16_000],
} as const satisfies Record<string, readonly number[]>;

export type Failure = keyof typeof RETRIES;

/** Milliseconds to wait before the try after `tried` failed ones; null when it was the last. */
export function waitBefore(failure: Failure, tried: number, retryAfterMs = 0): number | null {
  const wait = (RETRIES[failure] as readonly number[])[tried - 1];
  return wait === undefined ? null : Math.max(wait, retryAfterMs);
}

/** The sound of a shared screen. */
export const SCREEN_AUDIO_BITRATE = 64_000;

/** The room in which the caller may receive itself, and for how long. */
export const DIAGNOSTICS_CHANNEL = "$diagnostics";
