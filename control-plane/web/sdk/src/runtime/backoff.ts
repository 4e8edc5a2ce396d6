import { type Failure, RETRIES, TIMEOUTS, waitBefore } from "../contract";

/** Of everybody whose replica is gone, some come at once and some later, never all in the same moment. */
function spread(ms: number): number {
  return ms * (Math.random() - 0.5);
}

/** `waitBefore`, half of it sooner or later, and no sooner than the server asks. */
export function spreadWaitBefore(failure: Failure, tried: number, retryAfterMs = 0): number | null {
  const wait = waitBefore(failure, tried);
  return wait === null ? null : Math.max(wait + spread(wait), retryAfterMs);
}

/**
 * When, in milliseconds after the socket was lost, the try after `tried` ones is due; null when there are
 * no more. Each is moved by up to half its own wait, so that the whole schedule is as long as the contract's.
 */
export function resumeDue(tried: number): number | null {
  const wait = RETRIES.socket[tried];
  if (wait === undefined) return null;
  const planned = RETRIES.socket.slice(0, tried + 1).reduce((sum, ms) => sum + ms, 0);
  return Math.min(planned + spread(wait), TIMEOUTS.socket);
}
