/** How a frame of each codec is laid out: what stays in the clear, and what is authenticated with it. */
import type { Source } from "../payloads";
import * as av1 from "./av1";
import { type Bytes, concat, utf8, vec } from "./bytes";
import * as h264 from "./h264";

export type FrameCodec = "opus" | "vp8" | "vp9" | "h264" | "av1";
/** What is encrypted under keys of its own: each source, and the small messages. */
export type StreamSource = Source | "data";

const VERSION = 1;
const FRAME_CODECS: Record<FrameCodec, number> = { opus: 1, vp8: 2, vp9: 3, h264: 4, av1: 5 };
const CODECS: Record<Stream["codec"], number> = { ...FRAME_CODECS, message: 6 };
const SOURCES: Record<StreamSource, number> = { mic: 1, camera: 2, screen: 3, screenAudio: 4, data: 5 };
const VP8_HEADER_BYTES = 3;
const VP8_KEY_HEADER_BYTES = 10;
const NOTHING = new Uint8Array(0);

export const sourceNumber = (source: StreamSource): number => SOURCES[source];

/** As `video/VP8`; null: no frame of it can be encrypted. */
export function codecOf(mimeType: string | undefined): FrameCodec | null {
  const name = mimeType?.split("/")[1]?.toLowerCase();
  return name !== undefined && Object.hasOwn(FRAME_CODECS, name) ? (name as FrameCodec) : null;
}

/** Whose frame it is: what both ends know without the frame. */
export interface Stream {
  readonly sessionId: string;
  readonly source: StreamSource;
  readonly codec: FrameCodec | "message";
}

/** Of each stream the part that its frames have in common. */
const heads = new WeakMap<Stream, Bytes>();

/** What RFC 9605 calls metadata. */
export function metadata(stream: Stream, clear: Uint8Array): Bytes {
  const head = heads.get(stream) ?? headOf(stream);
  return clear.length === 0 ? head : concat(head, clear);
}

function headOf(stream: Stream): Bytes {
  const { sessionId, source, codec } = stream;
  const head = concat(Uint8Array.of(VERSION), vec(utf8(sessionId)), Uint8Array.of(SOURCES[source], CODECS[codec]));
  heads.set(stream, head);
  return head;
}

export interface Plain {
  clear: Bytes;
  /** To be encrypted. */
  secret: Bytes;
}

/** Null: it is no frame of the codec, and must not be sent. */
export function split(codec: Stream["codec"], data: Bytes): Plain | null {
  switch (codec) {
    case "opus":
    case "message":
    case "vp9":
      return { clear: NOTHING, secret: data };
    case "vp8": {
      const length = vp8Header(data);
      return length > data.length ? null : { clear: data.subarray(0, length), secret: data.subarray(length) };
    }
    case "h264": {
      const isKey = h264.isKeyFrame(data);
      if (isKey === null) return null;
      return { clear: isKey ? h264.KEY_SLICE : h264.OTHER_SLICE, secret: data };
    }
    case "av1": {
      const clear = av1.clearOfPlain(data);
      return clear && { clear, secret: data };
    }
  }
}

/** RFC 7741, section 4.3: P is 0 in a key frame. */
function vp8Header(data: Uint8Array): number {
  const first = data[0];
  if (first === undefined) return VP8_HEADER_BYTES;
  return first & 1 ? VP8_HEADER_BYTES : VP8_KEY_HEADER_BYTES;
}

/** What is sent in place of the frame. */
export function wrap(codec: Stream["codec"], clear: Bytes, sframe: Bytes): Bytes {
  if (codec === "h264") return h264.pack(clear, sframe);
  return codec === "av1" ? av1.pack(clear, sframe) : concat(clear, sframe);
}

/** Null: it is not laid out so. */
export function unwrap(codec: Stream["codec"], data: Bytes): { clear: Bytes; sframe: Bytes } | null {
  if (codec === "h264") return h264.unpack(data);
  if (codec === "av1") return av1.unpack(data);
  const length = codec === "vp8" ? vp8Header(data) : 0;
  return length > data.length ? null : { clear: data.subarray(0, length), sframe: data.subarray(length) };
}

/** The frame as its encoder gave it. */
export function join(codec: Stream["codec"], clear: Bytes, secret: Bytes): Bytes {
  return codec === "vp8" ? concat(clear, secret) : secret;
}
