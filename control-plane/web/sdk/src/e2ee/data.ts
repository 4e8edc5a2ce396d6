/** Small messages (`voice:data`) of an encrypted call, as the server sees them. The keys are in the worker. */
import { VoiceError } from "../errors";
import type { DataCipher } from "../runtime/data-messages";
import { type Bytes, concat, fromBase64url, toBase64url, utf8 } from "./bytes";
import type { FromWorker, ToWorker } from "./messages";

/** What the server is told that each message is about. */
export const SEALED_KIND = "railgun.sealed";
/** In bytes. With a kind and a session id of 64 bytes each, and what encryption adds, the contract's 1 KiB holds it. */
export const SEALED_PAYLOAD_MAX = 512;
const NAME_MAX = 64;
/** Messages are padded to a multiple of this many bytes, so that short ones are of one length. */
const BLOCK = 64;
const END = 0x80;

export interface Message {
  kind: string;
  /** A session id, or empty: to everybody. */
  to: string;
  payload: string;
}

/** Fails with `INVALID_PAYLOAD`. */
export function packMessage({ kind, to, payload }: Message): Bytes {
  const [kindBytes, toBytes, bytes] = [utf8(kind), utf8(to), utf8(payload)];
  const check = (field: string, length: number, max: number, min = 0) => {
    if (length >= min && length <= max) return;
    throw new VoiceError("INVALID_PAYLOAD", `${field} has to have ${min} to ${max} bytes in an encrypted call`, { field });
  };
  check("kind", kindBytes.length, NAME_MAX, 1);
  check("to", toBytes.length, NAME_MAX);
  check("payload", bytes.length, SEALED_PAYLOAD_MAX);
  const content = concat(Uint8Array.of(kindBytes.length), kindBytes, Uint8Array.of(toBytes.length), toBytes, bytes);
  const packed = new Uint8Array(BLOCK * Math.ceil((content.length + 1) / BLOCK));
  packed.set(content);
  packed[content.length] = END;
  return packed;
}

/** Null: it is laid out otherwise. */
export function unpackMessage(packed: Uint8Array): Message | null {
  let end = packed.length - 1;
  while (packed[end] === 0) end -= 1;
  if (packed[end] !== END) return null;
  let at = 0;
  const take = (length: number) => packed.subarray(at, (at += length));
  const name = () => take(take(1)[0] ?? 0);
  const [kind, to] = [name(), name()];
  if (at > end || kind.length === 0) return null;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { kind: decoder.decode(kind), to: decoder.decode(to), payload: decoder.decode(packed.subarray(at, end)) };
  } catch {
    return null;
  }
}

/** Asks the worker that has the keys. */
export class SealedData implements DataCipher {
  #asked = new Map<number, (data: Bytes | null) => void>();
  #last = 0;

  /** `own`: one's own session id. */
  constructor(
    private readonly tell: (message: ToWorker) => void,
    private readonly own: () => string,
  ) {}

  /** Fails with `INVALID_PAYLOAD`, and with `INVALID_STATE` while there is no key to send with. */
  async seal(message: Message): Promise<{ kind: string; payload: string }> {
    const sealed = await this.#ask("seal", this.own(), packMessage(message));
    if (!sealed) throw new VoiceError("INVALID_STATE", "there is no key to encrypt the message with");
    return { kind: SEALED_KIND, payload: toBase64url(sealed) };
  }

  async open(payload: string, sessionId: string): Promise<Message | null> {
    const sealed = fromBase64url(payload);
    const opened = sealed && (await this.#ask("open", sessionId, sealed));
    const message = opened && unpackMessage(opened);
    // A server that gives it to somebody else is not followed.
    return message && (message.to === "" || message.to === this.own()) ? message : null;
  }

  take({ ask, data }: Extract<FromWorker, { type: "data" }>): void {
    this.#asked.get(ask)?.(data);
    this.#asked.delete(ask);
  }

  /** The worker answers nothing any more. */
  close(): void {
    for (const answer of this.#asked.values()) answer(null);
    this.#asked.clear();
  }

  #ask(what: "seal" | "open", sessionId: string, data: Bytes): Promise<Bytes | null> {
    return new Promise((resolve) => {
      const ask = (this.#last += 1);
      this.#asked.set(ask, resolve);
      this.tell({ type: "data", ask, what, sessionId, data });
    });
  }
}
