/** What lets somebody into an encrypted call: opaque for the application, which carries it. */
import { VoiceError } from "../errors";
import { type Bytes, concat, equal, fromBase64url, toBase64url, u16, u32, utf8 } from "./bytes";
import { isSuite, type Suite } from "./sframe";

const PREFIX = "rgi1.";
const VERSION = 1;
const REMOVAL = 1;
const CHANNEL_BYTES = 16;
const SECRET_BYTES = 32;
const LENGTH = 8 + CHANNEL_BYTES + SECRET_BYTES;

export interface Invite {
  number: number;
  suite: Suite;
  /** Somebody was removed: what was before ends within a second. */
  removal: boolean;
  secret: Bytes;
}

/** A fresh key. `number`: of its epoch, 1 for a new call. */
export function freshInvite({ number = 1, suite = 4 as Suite, removal = false } = {}): Invite {
  return { number, suite, removal, secret: crypto.getRandomValues(new Uint8Array(SECRET_BYTES)) };
}

export async function writeInvite(channelId: string, { number, suite, removal, secret }: Invite): Promise<string> {
  const channel = await channelHash(channelId);
  const head = Uint8Array.of(VERSION, removal ? REMOVAL : 0);
  return PREFIX + toBase64url(concat(head, u16(suite), u32(number), channel, secret));
}

/** Fails with `INVALID_PAYLOAD`: it is none, of another version, or for another channel. */
export async function readInvite(channelId: string, text: string): Promise<Invite> {
  const bytes = text.startsWith(PREFIX) ? fromBase64url(text.slice(PREFIX.length)) : null;
  if (bytes?.length !== LENGTH || bytes[0] !== VERSION) throw refused("it is no invite of this version");
  const view = new DataView(bytes.buffer);
  const [flags, suite, number] = [view.getUint8(1), view.getUint16(2), view.getUint32(4)];
  if (flags > REMOVAL || !isSuite(suite) || number === 0) throw refused("it is no invite of this version");
  if (!equal(bytes.subarray(8, 8 + CHANNEL_BYTES), await channelHash(channelId))) {
    throw refused("the invite is for another channel");
  }
  return { number, suite, removal: flags === REMOVAL, secret: bytes.slice(8 + CHANNEL_BYTES) };
}

async function channelHash(channelId: string): Promise<Uint8Array> {
  const hash = await crypto.subtle.digest("SHA-256", utf8(channelId));
  return new Uint8Array(hash).subarray(0, CHANNEL_BYTES);
}

const refused = (message: string) => new VoiceError("INVALID_PAYLOAD", message, { field: "invite" });
