/** SFrame (RFC 9605) by WebCrypto: headers, keys, and one frame at a time. */
import { type Bytes, concat, u16, utf8 } from "./bytes";

/** By its number at IANA: AES_128_GCM_SHA256_128 and AES_256_GCM_SHA512_128. */
export type Suite = 4 | 5;

export const SUITES: readonly Suite[] = [4, 5];

const HASH = { 4: "SHA-256", 5: "SHA-512" } as const;
const KEY_BITS = { 4: 128, 5: 256 } as const;
const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

export function isSuite(value: number): value is Suite {
  return value === 4 || value === 5;
}

export interface Header {
  readonly kid: bigint;
  readonly ctr: bigint;
  /** Of the header itself, in bytes. */
  readonly length: number;
}

/** First byte, and two numbers of 64 bits. */
const HEADER_BYTES_MAX = 17;

/** Section 4.3, in the fewest bytes. */
export function encodeHeader(kid: bigint, ctr: bigint): Bytes {
  const header = new Uint8Array(HEADER_BYTES_MAX);
  const [kidBits, at] = putField(header, 1, kid);
  const [ctrBits, end] = putField(header, at, ctr);
  header[0] = (kidBits << 4) | ctrBits;
  return header.subarray(0, end);
}

/** Four bits of the first byte, and where what follows it ends. */
function putField(header: Bytes, at: number, value: bigint): [bits: number, end: number] {
  if (value < 8n) return [Number(value), at];
  const halves = [Number(value >> 32n), Number(value & 0xffffffffn)];
  const length = halves[0] ? 4 + bytesOf(halves[0]) : bytesOf(halves[1] ?? 0);
  for (let index = 0; index < length; index += 1) {
    const place = length - 1 - index;
    header[at + index] = (halves[place < 4 ? 1 : 0] ?? 0) >>> (8 * (place & 3));
  }
  return [0x8 | (length - 1), at + length];
}

/** How many bytes a number of 32 bits has. */
const bytesOf = (value: number): number => 4 - (Math.clz32(value) >> 3);

/** Null: cut short. */
export function decodeHeader(bytes: Uint8Array): Header | null {
  const first = bytes[0];
  if (first === undefined) return null;
  const [kidLength, ctrLength] = [lengthOf(first >> 4), lengthOf(first & 0xf)];
  const length = 1 + kidLength + ctrLength;
  if (bytes.length < length) return null;
  const kid = kidLength === 0 ? BigInt(first >> 4) : bigEndian(bytes, 1, kidLength);
  const ctr = ctrLength === 0 ? BigInt(first & 0xf) : bigEndian(bytes, 1 + kidLength, ctrLength);
  return { kid, ctr, length };
}

/** Bytes that follow for these four bits. */
const lengthOf = (bits: number): number => (bits < 8 ? 0 : (bits & 7) + 1);

function bigEndian(bytes: Uint8Array, from: number, length: number): bigint {
  let [high, low] = [0, 0];
  for (let index = 0; index < length; index += 1) {
    const byte = bytes[from + index] ?? 0;
    if (length - index > 4) high = high * 256 + byte;
    else low = low * 256 + byte;
  }
  return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
}

/** Of one KID: what a frame is encrypted with. */
export interface SFrameKey {
  readonly kid: bigint;
  readonly key: CryptoKey;
  readonly salt: Bytes;
}

/** A secret to derive others from; it cannot be read out. */
export function importSecret(secret: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits", "deriveKey"]);
}

/** HKDF with an empty salt. */
export async function expand(suite: Suite, secret: CryptoKey, info: Bytes, length: number): Promise<Bytes> {
  const params = { name: "HKDF", hash: HASH[suite], salt: new Uint8Array(0), info };
  return new Uint8Array(await crypto.subtle.deriveBits(params, secret, length * 8));
}

/** Section 4.4.2. */
export async function deriveKey(suite: Suite, baseKey: CryptoKey, kid: bigint): Promise<SFrameKey> {
  const id = new Uint8Array(8);
  new DataView(id.buffer).setBigUint64(0, kid);
  const label = (text: string) => concat(utf8(text), id, u16(suite));
  const salt = await expand(suite, baseKey, label("SFrame 1.0 Secret salt "), NONCE_BYTES);
  const params = {
    name: "HKDF",
    hash: HASH[suite],
    salt: new Uint8Array(0),
    info: label("SFrame 1.0 Secret key "),
  };
  const aes = { name: "AES-GCM", length: KEY_BITS[suite] };
  return { kid, key: await crypto.subtle.deriveKey(params, baseKey, aes, false, ["encrypt", "decrypt"]), salt };
}

/** Section 4.4.3: the salt, with the counter in its last 8 bytes. */
export function nonceOf({ salt }: SFrameKey, ctr: bigint): Bytes {
  const nonce = salt.slice();
  const view = new DataView(nonce.buffer);
  view.setBigUint64(4, view.getBigUint64(4) ^ ctr);
  return nonce;
}

const gcm = (key: SFrameKey, ctr: bigint, header: Uint8Array, metadata: Uint8Array) => ({
  name: "AES-GCM",
  iv: nonceOf(key, ctr),
  additionalData: concat(header, metadata),
  tagLength: TAG_BYTES * 8,
});

/** Header, ciphertext and tag. */
export async function seal(key: SFrameKey, ctr: bigint, metadata: Uint8Array, plain: Bytes): Promise<Bytes> {
  const header = encodeHeader(key.kid, ctr);
  const sealed = await crypto.subtle.encrypt(gcm(key, ctr, header, metadata), key.key, plain);
  return concat(header, new Uint8Array(sealed));
}

/** Null: it is not authentic. `header`: what `decodeHeader` gave for it. */
export async function open(
  key: SFrameKey,
  header: Header,
  metadata: Uint8Array,
  sframe: Bytes,
): Promise<Bytes | null> {
  const params = gcm(key, header.ctr, sframe.subarray(0, header.length), metadata);
  try {
    return new Uint8Array(await crypto.subtle.decrypt(params, key.key, sframe.subarray(header.length)));
  } catch {
    return null;
  }
}
