/** What the page and the worker that has the keys tell each other. */
import type { Bytes } from "./bytes";
import type { Mark } from "./epoch";
import type { FrameCodec } from "./frame";
import type { Refused } from "./frame-cipher";
import type { Suite } from "./sframe";
import type { Source } from "../payloads";

export type ToWorker =
  /** First of all, once. */
  | { type: "begin"; channelId: string; seen: Mark[] }
  | {
      type: "install";
      number: number;
      suite: Suite;
      secret: Bytes;
      removal: boolean;
      delayed: boolean;
      held?: boolean;
      /** Whose frames are opened under it; absent: anybody's. */
      senders?: readonly string[];
    }
  /** All epochs are of a stay that is over. */
  | { type: "reset" }
  /** An answer is wanted after so many milliseconds, also while the page is in the background; of several the last. */
  | { type: "wake"; after: number }
  /** The epochs there are end for sending within a second. */
  | { type: "left" }
  /** Which payload types a sender may use, where browsers do not say it with each frame. */
  | { type: "codecs"; transform: number; codecs: [number, FrameCodec][] }
  /** A small message, to or from a session; `ask` comes back with the answer. */
  | { type: "data"; ask: number; what: "seal" | "open"; sessionId: string; data: Bytes };

export interface StreamReport {
  sessionId: string;
  source: Source;
  opened: number;
  refused: Record<Refused, number>;
}

export type FromWorker =
  /** `code`: of the epoch, or null if its time is over. */
  | { type: "installed"; number: number; code: string | null }
  | { type: "woken" }
  /** Since the report before; streams without a frame are not in it. */
  | { type: "report"; streams: StreamReport[]; sealed: number; held: number; seen: Mark[] }
  /** Null: there is no key, or it is not authentic. */
  | { type: "data"; ask: number; data: Bytes | null; seen: Mark[] };

/** Of a transform: whose frames pass it. */
export type TransformOptions =
  | { transform: number; direction: "send"; sessionId: string; source: Source }
  | { transform: number; direction: "receive"; sessionId: string; source: Source; codec: FrameCodec };
