/** Whether what should arrive does, from what the browser counts. No browser, no clock. */
import type { Source } from "../payloads";

/** What is wrong with what comes from somebody. */
export type Trouble =
  /** Nothing of their voice arrives, though their microphone is on. */
  | "noSound"
  /** More than a tenth of their voice was made up, because packets were lost or late. */
  | "choppySound"
  /** Their camera's picture stands still. */
  | "videoStalled"
  /** The server sends their video no longer, because our network takes no more. */
  | "videoHeldBack";

/** A track that should be arriving now. */
export interface Expected {
  trackId: string;
  sessionId: string;
  source: Source;
  /** The server said that it sends no layer of it. */
  heldBack: boolean;
}

/** Of an `inbound-rtp` entry; each only grows. */
export interface Arrived {
  packets: number;
  frames: number;
  samples: number;
  /** Made up while somebody spoke. */
  concealed: number;
}

export interface Health {
  /** By session; who is well is not in it. */
  people: Map<string, Trouble>;
  /** Of all that should be heard, nothing is. Never true while nobody should be. */
  noSound: boolean;
}

/** A microphone that is on sends twice a second even in silence (Opus DTX); looked at every second, this is said within 3 s. */
export const SILENT_MS = 1_800;
export const STALLED_MS = 4_000;
/** Looks further apart than this are no evidence: the page slept. */
const LOOK_GAP_MAX_MS = 2_500;
const CONCEALED_MAX = 0.1;
/** From the worst to the mildest. */
const ORDER: readonly Trouble[] = ["noSound", "videoStalled", "choppySound", "videoHeldBack"];

interface Track {
  arrived: Arrived;
  /** When packets, or frames of a video, last came. */
  at: number;
}

export class MediaHealth {
  #tracks = new Map<string, Track>();
  #lookedAt = -Infinity;

  /** `arrived`: by track. `now` in milliseconds. */
  look(now: number, expected: readonly Expected[], arrived: ReadonlyMap<string, Arrived>): Health {
    const slept = now - this.#lookedAt > LOOK_GAP_MAX_MS;
    this.#lookedAt = now;
    const people = new Map<string, Trouble>();
    const tracks = new Map<string, Track>();
    let [mics, silent] = [0, 0];
    for (const { trackId, sessionId, source, heldBack } of expected) {
      const before = this.#tracks.get(trackId);
      const counted = arrived.get(trackId) ?? { packets: 0, frames: 0, samples: 0, concealed: 0 };
      const isVideo = source === "camera" || source === "screen";
      const moves = isVideo ? counted.frames !== before?.arrived.frames : counted.packets !== before?.arrived.packets;
      const at = before && !moves && !slept ? before.at : now;
      tracks.set(trackId, { arrived: counted, at });
      const found: Trouble[] = [];
      if (heldBack) found.push("videoHeldBack");
      // A shared screen on which nothing moves needs no frames.
      else if (source === "camera" && now - at >= STALLED_MS) found.push("videoStalled");
      if (source === "mic") {
        mics += 1;
        if (now - at >= SILENT_MS) {
          silent += 1;
          found.push("noSound");
        } else if (before && isChoppy(before.arrived, counted)) found.push("choppySound");
      }
      const known = people.get(sessionId);
      const worst = ORDER.find((trouble) => trouble === known || found.includes(trouble));
      if (worst) people.set(sessionId, worst);
    }
    this.#tracks = tracks;
    return { people, noSound: mics > 0 && silent === mics };
  }
}

function isChoppy(before: Arrived, now: Arrived): boolean {
  const samples = now.samples - before.samples;
  return samples > 0 && (now.concealed - before.concealed) / samples > CONCEALED_MAX;
}

type Entry = Record<string, unknown>;

/** By track, from a receiving connection's report; null from a browser that does not say which track it counts. */
export function arrivedOf(report: Iterable<Entry>): Map<string, Arrived> | null {
  const arrived = new Map<string, Arrived>();
  const number = (value: unknown) => (typeof value === "number" ? value : 0);
  for (const entry of report) {
    const { type, trackIdentifier } = entry;
    if (type !== "inbound-rtp") continue;
    if (typeof trackIdentifier !== "string") return null;
    arrived.set(trackIdentifier, {
      packets: number(entry["packetsReceived"]),
      frames: number(entry["framesDecoded"]),
      samples: number(entry["totalSamplesReceived"]),
      concealed: number(entry["concealedSamples"]) - number(entry["silentConcealedSamples"]),
    });
  }
  return arrived;
}
