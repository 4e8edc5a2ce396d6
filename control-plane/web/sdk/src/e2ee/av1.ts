/**
 * AV1 temporal units as one frame OBU (AV1 specification section 5.3), after an empty sequence header OBU if it
 * is a key frame. Packetisers take the sizes of OBUs away, and depacketisers put them back.
 */
import { type Bytes, concat } from "./bytes";

const SEQUENCE_HEADER = 1;
const FRAME_HEADER = 3;
const FRAME = 6;
const EXTENSION = 0x04;
const HAS_SIZE = 0x02;

interface Obu {
  type: number;
  /** Temporal and spatial layer, if there is such a byte. */
  extension: number | null;
  content: Uint8Array;
}

/** Null: cut short. */
function* obus(data: Uint8Array): Generator<Obu | null> {
  let at = 0;
  while (at < data.length) {
    const header = data[at++] ?? 0;
    const extension = header & EXTENSION ? data[at++] : null;
    if (extension === undefined) return yield null;
    let size = data.length - at;
    if (header & HAS_SIZE) {
      const read = leb128(data, at);
      if (read === null || read.at + read.value > data.length) return yield null;
      at = read.at;
      size = read.value;
    }
    yield { type: (header >> 3) & 0xf, extension, content: data.subarray(at, at + size) };
    at += size;
  }
}

function leb128(data: Uint8Array, from: number): { value: number; at: number } | null {
  let value = 0;
  for (let index = 0; index < 8; index += 1) {
    const byte = data[from + index];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, at: from + index + 1 };
  }
  return null;
}

/** `08` if there is a sequence header, then the frame OBU's header without its size. */
function clearOf(isKey: boolean, extension: number | null): Bytes {
  const header = (FRAME << 3) | (extension === null ? 0 : EXTENSION);
  return Uint8Array.of(
    ...(isKey ? [SEQUENCE_HEADER << 3] : []),
    header,
    ...(extension === null ? [] : [extension]),
  );
}

/** Null: no temporal unit with a frame. */
export function clearOfPlain(data: Uint8Array): Bytes | null {
  let isKey = false;
  for (const obu of obus(data)) {
    if (!obu) return null;
    if (obu.type === SEQUENCE_HEADER) isKey = true;
    else if (obu.type === FRAME || obu.type === FRAME_HEADER) return clearOf(isKey, obu.extension);
  }
  return null;
}

export function pack(clear: Bytes, sframe: Bytes): Bytes {
  const isKey = clear[0] === SEQUENCE_HEADER << 3;
  if (!isKey) return concat(clear, sframe);
  return concat(Uint8Array.of((SEQUENCE_HEADER << 3) | HAS_SIZE, 0), clear.subarray(1), sframe);
}

export function unpack(data: Uint8Array): { clear: Bytes; sframe: Bytes } | null {
  let isKey = false;
  for (const obu of obus(data)) {
    if (!obu) return null;
    if (obu.type === SEQUENCE_HEADER) isKey = true;
    else if (obu.type === FRAME) return { clear: clearOf(isKey, obu.extension), sframe: obu.content.slice() };
  }
  return null;
}
