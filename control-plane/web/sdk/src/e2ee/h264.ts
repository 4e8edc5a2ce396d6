/**
 * H264 access units as one slice: what packetisers and depacketisers read of it is constant, and depends on
 * one thing, whether it is a key frame. The ciphertext has no start code in it.
 */
import { type Bytes, concat } from "./bytes";

const SLICE = 1;
const IDR = 5;
const SPS = 7;

const START = Uint8Array.of(0, 0, 0, 1);
/** Parameter sets that nobody decodes: depacketisers want an IDR slice to name some that they have seen. */
const PARAMETER_SETS = Uint8Array.of(
  ...START, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x28, 0x02, 0xdc, 0x80,
  ...START, 0x68, 0xce, 0x3c, 0x80,
); // prettier-ignore
/** Unit header; then first_mb_in_slice 0, slice_type, pic_parameter_set_id 0 (section 7.3.3). */
export const KEY_SLICE = Uint8Array.of(0x65, 0x88, 0x80);
export const OTHER_SLICE = Uint8Array.of(0x41, 0x9a);
const END = 0x80;

/** Where the next unit's header is: after `00 00 01`. -1: there is none. */
function nextUnit(data: Uint8Array, from: number): number {
  for (let at = from; at + 3 < data.length; at += 1) {
    if (data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1) return at + 3;
  }
  return -1;
}

/** Whether the access unit is one that a decoder can begin with; null: it has no picture. */
export function isKeyFrame(data: Uint8Array): boolean | null {
  for (let at = nextUnit(data, 0); at !== -1; at = nextUnit(data, at)) {
    const type = (data[at] ?? 0) & 0x1f;
    if (type === IDR || type === SPS) return true;
    if (type >= SLICE && type < IDR) return false;
  }
  return null;
}

/** Emulation prevention (H.264 section 7.4.1). */
export function escape(data: Uint8Array): Bytes {
  const escaped = new Uint8Array(data.length + Math.floor(data.length / 2));
  let [length, zeros] = [0, 0];
  for (const byte of data) {
    if (zeros >= 2 && byte <= 3) {
      escaped[length++] = 3;
      zeros = 0;
    }
    escaped[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return escaped.subarray(0, length);
}

export function unescape(data: Uint8Array): Bytes {
  const plain = new Uint8Array(data.length);
  let [length, zeros] = [0, 0];
  for (const byte of data) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    plain[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return plain.subarray(0, length);
}

export function pack(clear: Uint8Array, sframe: Uint8Array): Bytes {
  const before = clear === KEY_SLICE ? PARAMETER_SETS : new Uint8Array(0);
  return concat(before, START, clear, escape(sframe), Uint8Array.of(END));
}

/** Null: it is none of these. Browsers alter the parameter sets on the way, so nothing is asked of them. */
export function unpack(data: Uint8Array): { clear: Bytes; sframe: Bytes } | null {
  for (let at = nextUnit(data, 0); at !== -1; at = nextUnit(data, at)) {
    const type = (data[at] ?? 0) & 0x1f;
    if (type !== IDR && type !== SLICE) continue;
    const clear = type === IDR ? KEY_SLICE : OTHER_SLICE;
    if (!clear.every((byte, index) => data[at + index] === byte)) return null;
    if (data[data.length - 1] !== END) return null;
    return { clear, sframe: unescape(data.subarray(at + clear.length, data.length - 1)) };
  }
  return null;
}
