import { VoiceError } from "../errors";
import type { Request } from "./signaling";

/** Within what the server takes in one message, in characters. */
const CHUNK = 60_000;
/** Bytes that are sent at once, a round after the other: enough for 100 Mbit/s, and little for a slow line. */
const ROUNDS = [8_000, 16_000, 32_000, CHUNK, 2 * CHUNK, 4 * CHUNK, 8 * CHUNK];
/** A round that takes longer than this is long enough to be divided by, in milliseconds. */
const LONG_ENOUGH_MS = 400;
/** Of `Signaling.request`: what is not through by then is as slow as that. */
const GIVEN_UP_MS = 5_000;

/**
 * How fast the server gets what is sent to it, in bits per second: padded pings over the signaling socket,
 * which is TCP. It needs no permission to send video and nothing of the browser's statistics. `rtt`: of a ping
 * without padding, in milliseconds. Null when the socket is lost.
 */
export async function measureUpload(request: Request, rtt: number): Promise<number | null> {
  let rate: number | null = null;
  for (const bytes of ROUNDS) {
    const start = performance.now();
    const pings = Array.from({ length: Math.ceil(bytes / CHUNK) }, () =>
      request("voice:ping", { sentAt: start, padding: noise(Math.min(bytes, CHUNK)) }),
    );
    try {
      await Promise.all(pings);
    } catch (error) {
      if (VoiceError.from(error).code !== "TIMEOUT") return rate;
      return (8_000 * bytes) / GIVEN_UP_MS;
    }
    const took = Math.max(1, performance.now() - start - rtt);
    rate = (8_000 * bytes) / took;
    if (took > LONG_ENOUGH_MS) break;
  }
  return rate;
}

/** Text that no compression on the way makes smaller than three quarters. */
function noise(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => String.fromCharCode(0x30 + (byte & 0x3f))).join("").replaceAll("\\", "z");
}
