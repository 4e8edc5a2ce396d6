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

/** Section 4.3, in the fewest bytes. */
export function encodeHeader(kid: bigint, ctr: bigint): Bytes {
  const [kidBits, kidBytes] = field(kid);
  const [ctrBits, ctrBytes] = field(ctr);
  return concat(Uint8Array.of((kidBits << 4) | ctrBits), kidBytes, ctrBytes);
}

/** Four bits of the first byte, and what follows it. */
function field(value: bigint): [number, Bytes] {
  if (value < 8n) return [Number(value), new Uint8Array(0)];
  const bytes = minimal(value);
  return [0x8 | (bytes.length - 1), bytes];
}

function minimal(value: bigint): Bytes {
  const bytes: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  if (bytes.length > 8) throw new RangeError("more than 64 bits");
  return Uint8Array.from(bytes);
}

/** Null: cut short. */
export function decodeHeader(bytes: Uint8Array): Header | null {
  const first = bytes[0];
  if (first === undefined) return null;
  let at = 1;
  const take = (bits: number): bigint | null => {
    if (bits < 8) return BigInt(bits);
    const length = (bits & 7) + 1;
    if (bytes.length < at + length) return null;
    let value = 0n;
    for (const byte of bytes.subarray(at, at + length)) value = (value << 8n) | BigInt(byte);
    at += length;
    return value;
  };
  const kid = take(first >> 4);
  const ctr = kid === null ? null : take(first & 0xf);
  return kid === null || ctr === null ? null : { kid, ctr, length: at };
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
