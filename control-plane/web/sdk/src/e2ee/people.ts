/** Who of the others can be decrypted, by the worker's reports. */
import type { StreamReport } from "./messages";
import type { ParticipantEncryption } from "../types";

/** How long nothing of a stream is opened until its sender is named as missing, in milliseconds. */
export const MISSING_AFTER = 400;

interface Stream {
  failingSince: number | null;
  opened: boolean;
}

/** The time is given, in milliseconds. */
export class EncryptedPeople {
  #streams = new Map<string, Map<string, Stream>>();
  /** What was said last. */
  #told = new Map<string, ParticipantEncryption>();

  /** Whether anything changed that is shown. */
  take(reports: StreamReport[], now: number): boolean {
    for (const { sessionId, source, opened, refused } of reports) {
      const streams = this.#streams.get(sessionId) ?? new Map<string, Stream>();
      this.#streams.set(sessionId, streams);
      const stream = streams.get(source) ?? { failingSince: null, opened: false };
      streams.set(source, stream);
      // A frame that came twice says nothing of the sender's key.
      if (opened > 0) Object.assign(stream, { failingSince: null, opened: true });
      else if (refused.noKey + refused.forged + refused.malformed > 0) stream.failingSince ??= now;
    }
    const told = this.#told;
    this.#told = new Map([...this.#streams.keys()].map((sessionId) => [sessionId, this.of(sessionId, now)]));
    return [...this.#told].some(([sessionId, state]) => told.get(sessionId) !== state);
  }

  of(sessionId: string, now: number): ParticipantEncryption {
    const streams = [...(this.#streams.get(sessionId)?.values() ?? [])];
    const isMissing = ({ failingSince }: Stream) => failingSince !== null && now - failingSince >= MISSING_AFTER;
    if (streams.some(isMissing)) return "keyMissing";
    return streams.some(({ opened }) => opened) ? "opened" : "pending";
  }

  keepOnly(sessionIds: Set<string>): void {
    for (const sessionId of this.#streams.keys()) if (!sessionIds.has(sessionId)) this.#streams.delete(sessionId);
  }
}
