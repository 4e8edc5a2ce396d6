import type { Bytes } from "./bytes";
import { type Epoch, epochIdOf, type ReceiverKey } from "./epoch";
import { join, metadata, split, type Stream, type StreamSource, unwrap, wrap } from "./frame";
import type { KeyRing } from "./key-ring";
import { decodeHeader, type Header, open, seal, type SFrameKey } from "./sframe";

/** Why a frame was not opened. */
export type Refused =
  /** Its layout or header is none of ours: a frame without encryption, for example. */
  | "malformed"
  /** It is of an epoch that is not here, or not any more. */
  | "noKey"
  /** It was altered, moved, or made by somebody without the key. */
  | "forged"
  | "replayed";

/** The KID's bytes: epoch and salt. */
const KID_BITS = 56n;
/** Keys of a stream that may be derived in vain, a second. */
const DERIVED_PER_SECOND = 8;

/** An epoch, and a sender's key in it. */
interface Known {
  epoch: Epoch;
  receiver: ReceiverKey;
}

/** Encrypts the frames of one's own session, and opens those of the others. */
export class FrameCipher {
  /** What the last frame of each stream was opened with: most often the next one is, too. */
  #last = new WeakMap<Stream, Known>();
  #budgets = new Map<string, { since: number; left: number }>();

  constructor(
    private readonly ring: KeyRing,
    private readonly now: () => number,
  ) {}

  /** Null: there is no key to send with, or it is no frame of the codec. It must not be sent then. */
  async seal(stream: Stream, data: Bytes): Promise<Bytes | null> {
    const { sessionId, source, codec } = stream;
    const plain = split(codec, data);
    const epoch = plain && this.ring.sending(this.now());
    const sender = epoch ? await epoch.sender(sessionId, source) : null;
    if (!plain || !sender) return null;
    const sframe = await seal(sender.key, sender.ctr, metadata(stream, plain.clear), plain.secret);
    // The key's time may have ended meanwhile.
    return epoch && this.now() < epoch.stopsAt ? wrap(codec, plain.clear, sframe) : null;
  }

  async open(stream: Stream, data: Bytes): Promise<Bytes | Refused> {
    const parts = unwrap(stream.codec, data);
    const header = parts && decodeHeader(parts.sframe);
    if (!parts || !header || header.kid >> (KID_BITS - 8n) === 0n || header.kid >> KID_BITS !== 0n) return "malformed";
    const now = this.now();
    const before = this.#last.get(stream);
    const last = before?.receiver.key.kid === header.kid && this.ring.accepts(before.epoch, now) ? before : null;
    const isOf = (epoch: Epoch) => epoch.isOf(stream.sessionId);
    const epochs = last ? [last.epoch] : this.ring.accepted(epochIdOf(header.kid), now).filter(isOf);
    if (epochs.length === 0) return "noKey";
    const aad = metadata(stream, parts.clear);
    for (const epoch of epochs) {
      const secret = await this.#try(epoch, last?.receiver ?? null, stream, header, aad, parts.sframe);
      if (secret === "replayed") return secret;
      if (secret) return join(stream.codec, parts.clear, secret);
    }
    return "forged";
  }

  async #try(
    epoch: Epoch,
    last: ReceiverKey | null,
    stream: Stream,
    header: Header,
    aad: Bytes,
    sframe: Bytes,
  ): Promise<Bytes | "replayed" | null> {
    const { sessionId, source } = stream;
    const known = last ?? epoch.known(sessionId, source, header.kid);
    if (known && !known.window.mayTake(header.ctr)) return "replayed";
    const key = known?.key ?? (await this.#derive(epoch, sessionId, source, header.kid));
    const secret = key && (await open(key, header, aad, sframe));
    if (!secret || !key) return null;
    // Erased while it was opened.
    if (epoch.erasesAt <= this.now()) return null;
    const receiver = known ?? epoch.remember(sessionId, source, key);
    if (!receiver || !epoch.take(receiver, header.ctr)) return "replayed";
    if (receiver !== last) this.#last.set(stream, { epoch, receiver });
    return secret;
  }

  /** Made-up KIDs must not cost a derivation each. */
  async #derive(epoch: Epoch, sessionId: string, source: StreamSource, kid: bigint): Promise<SFrameKey | null> {
    const of = `${source} ${sessionId}`;
    const now = this.now();
    const budget = this.#budgets.get(of);
    const fresh = !budget || now - budget.since >= 1_000 ? { since: now, left: DERIVED_PER_SECOND } : budget;
    this.#budgets.set(of, fresh);
    if (fresh.left <= 0) return null;
    fresh.left -= 1;
    return epoch.derived(sessionId, source, kid);
  }
}
