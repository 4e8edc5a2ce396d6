/** One epoch of a call: a secret, and the keys of each sender that come from it. */
import { type Bytes, concat, u32, utf8, vec } from "./bytes";
import { sourceNumber, type StreamSource } from "./frame";
import { ReplayWindow } from "./replay";
import { deriveKey, expand, importSecret, type SFrameKey, type Suite } from "./sframe";

const SALT_BITS = 48n;
/** Of one key. */
const COUNTER_MAX = 2n ** 40n;
const WINDOWS_MAX = 4096;
const SENDER_LABEL = "railgun e2ee 1 sender";
const CODE_LABEL = "railgun e2ee 1 code";
const CODE_GROUPS = 6;

export interface EpochSecret {
  number: number;
  suite: Suite;
  /** 32 bytes. */
  secret: Bytes;
  /** Whose frames are opened; absent: anybody's. */
  senders?: readonly string[];
}

/** Of an epoch: key id, source and session, and the highest counter that was opened. */
export type Mark = [tag: string, of: string, ctr: string];

/** By the epoch's tag, then by key id, source and session. */
export type Marks = ReadonlyMap<string, ReadonlyMap<string, bigint>>;

const tagOf = (number: number, code: string): string => `${number} ${code}`;

/** The first byte of a KID, never 0. */
export const epochId = (number: number): number => 1 + ((number - 1) % 255);

export const epochIdOf = (kid: bigint): number => Number(kid >> SALT_BITS);

/** A sender's own key, with the counter that goes on as long as the worker lives. */
interface SenderKey {
  key: Promise<SFrameKey>;
  next: bigint;
}

/** A sender's key under which a frame was authentic. */
export interface ReceiverKey {
  readonly key: SFrameKey;
  readonly window: ReplayWindow;
  /** Key id, source and session. */
  readonly of: string;
}

export class Epoch {
  /** In milliseconds, on the clock that the ring is given. */
  erasesAt = Infinity;
  sendsFrom = -Infinity;
  stopsAt = Infinity;
  #senders = new Map<string, SenderKey>();
  #receivers = new Map<string, ReceiverKey>();

  /** Whose highest counters are not told yet. */
  #untold = new Set<ReceiverKey>();

  private constructor(
    readonly number: number,
    readonly suite: Suite,
    private readonly channelId: string,
    private readonly secret: CryptoKey,
    /** 30 digits, equal for all who have the secret. */
    readonly code: string,
    private readonly senders: ReadonlySet<string> | null,
    /** Highest counters that this profile opened before this page was loaded. */
    private readonly marks: ReadonlyMap<string, bigint>,
  ) {}

  /** Which epoch a counter is of, also for another page: two of one number have different codes. */
  get tag(): string {
    return tagOf(this.number, this.code);
  }

  /** `given.secret` is overwritten. */
  static async create({ number, suite, secret, senders }: EpochSecret, channelId: string, marks: Marks = new Map()): Promise<Epoch> {
    const imported = await importSecret(secret);
    secret.fill(0);
    const info = concat(utf8(CODE_LABEL), u32(number), vec(utf8(channelId)));
    const bytes = await expand(suite, imported, info, 5 * CODE_GROUPS);
    const code = digitsOf(bytes);
    const before = marks.get(tagOf(number, code)) ?? new Map<string, bigint>();
    return new Epoch(number, suite, channelId, imported, code, senders ? new Set(senders) : null, before);
  }

  /** Whether frames of a session are opened: somebody who is no member may have been given a member's key. */
  isOf(sessionId: string): boolean {
    return this.senders?.has(sessionId) ?? true;
  }

  /** The key to send with, and a counter that no other frame gets; null: it was used too often. */
  async sender(sessionId: string, source: StreamSource): Promise<{ key: SFrameKey; ctr: bigint } | null> {
    const of = `${source} ${sessionId}`;
    let sender = this.#senders.get(of);
    if (!sender) {
      sender = { key: this.#derive(sessionId, source, randomKid(this.number)), next: 0n };
      this.#senders.set(of, sender);
    }
    if (sender.next >= COUNTER_MAX) return null;
    const ctr = sender.next++;
    return { key: await sender.key, ctr };
  }

  /** What is known of a sender's key; null: no frame under it was authentic yet. */
  known(sessionId: string, source: StreamSource, kid: bigint): ReceiverKey | null {
    return this.#receivers.get(`${kid} ${source} ${sessionId}`) ?? null;
  }

  derived(sessionId: string, source: StreamSource, kid: bigint): Promise<SFrameKey> {
    return this.#derive(sessionId, source, kid);
  }

  /** After a first authentic frame. Null: there are too many; none is forgotten, or its frames could come again. */
  remember(sessionId: string, source: StreamSource, key: SFrameKey): ReceiverKey | null {
    const of = `${key.kid} ${source} ${sessionId}`;
    const known = this.#receivers.get(of);
    if (known) return known;
    if (this.#receivers.size >= WINDOWS_MAX) return null;
    const receiver = { key, window: new ReplayWindow(this.marks.get(of)), of };
    this.#receivers.set(of, receiver);
    return receiver;
  }

  /** Notes an authentic frame; false: it was there before, or is too old. */
  take(receiver: ReceiverKey, ctr: bigint): boolean {
    if (!receiver.window.take(ctr)) return false;
    this.#untold.add(receiver);
    return true;
  }

  /** What is new since the last time, for the pages that this profile loads later. */
  takeMarks(): Mark[] {
    const marks = [...this.#untold].map(({ of, window }): Mark => [this.tag, of, String(window.highest)]);
    this.#untold.clear();
    return marks;
  }

  async #derive(sessionId: string, source: StreamSource, kid: bigint): Promise<SFrameKey> {
    const info = concat(
      utf8(SENDER_LABEL),
      u32(this.number),
      vec(utf8(this.channelId)),
      vec(utf8(sessionId)),
      Uint8Array.of(sourceNumber(source)),
    );
    const base = await expand(this.suite, this.secret, info, 32);
    const imported = await importSecret(base);
    base.fill(0);
    return deriveKey(this.suite, imported, kid);
  }
}

function randomKid(number: number): bigint {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (BigInt(epochId(number)) << SALT_BITS) | (BigInt(high & 0xffff) << 32n) | BigInt(low);
}

function digitsOf(bytes: Uint8Array): string {
  const groups = Array.from({ length: CODE_GROUPS }, (_, group) => {
    const value = bytes.subarray(5 * group, 5 * group + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(value % 100_000).padStart(5, "0");
  });
  return groups.join(" ");
}
