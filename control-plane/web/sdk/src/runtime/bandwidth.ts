import { sleep } from "./wait";

/** Between two looks at the estimate. */
const LOOK_MS = 1_000;
/** The time for an estimate to rise; a browser's begins low, and lower if the device was busy then. */
export const RISE_MS = 6_000;

/**
 * What can be sent, in bits per second: `first`, or what later looks find while that is less than `enough`. A narrow link
 * stays narrow, and the last look counts; null when no look finds anything.
 */
export async function measureBandwidth(
  first: number | null,
  enough: number,
  look: () => Promise<number | null>,
): Promise<number | null> {
  let found = first;
  for (let waited = 0; (found ?? 0) < enough && waited < RISE_MS; waited += LOOK_MS) {
    await sleep(LOOK_MS);
    found = (await look()) ?? found;
  }
  return found;
}
