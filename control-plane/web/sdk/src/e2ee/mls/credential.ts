/** What this version writes into MLS: whose a leaf is, and the commits that led to an epoch. */
import { type Bytes, concat, toHex, utf8, vec } from "../bytes";
import type { Member, Past } from "./port";

const VERSION = 1;

export interface LeafName {
  sessionId: string;
  userId: string;
  credential: Uint8Array;
}

/** Of MLS's basic credential. */
export function encodeName({ sessionId, userId, credential }: LeafName): Bytes {
  return concat(Uint8Array.of(VERSION), vec(utf8(sessionId)), vec(utf8(userId)), vec(credential));
}

/** Null: it is none. */
export function decodeName(bytes: Uint8Array): LeafName | null {
  const parts = bytes[0] === VERSION ? partsOf(bytes.subarray(1)) : null;
  const [session, user, credential] = parts ?? [];
  const [sessionId, userId] = [textOf(session), textOf(user)];
  return sessionId && userId && credential && parts?.length === 3 ? { sessionId, userId, credential } : null;
}

export const encodeCommits = (commits: readonly Past[]): Bytes =>
  concat(...commits.flatMap(({ author, commit }) => [vec(utf8(author)), vec(commit)]));

export const encodeSessions = (sessions: readonly string[]): Bytes => concat(...sessions.map((it) => vec(utf8(it))));

/** None, if it is none of these. */
export const decodeSessions = (bytes: Uint8Array): string[] => (partsOf(bytes) ?? []).flatMap((it) => textOf(it) ?? []);

/** None, if it is none of these. */
export function decodeCommits(bytes: Uint8Array): Past[] {
  const parts = partsOf(bytes) ?? [];
  return parts.flatMap((author, index) => {
    const commit = parts[index + 1];
    return index % 2 === 0 && commit ? { author: textOf(author) ?? "", commit: Uint8Array.from(commit) } : [];
  });
}

/** Null: they are not of 2 bytes of length and so many bytes each. */
function partsOf(bytes: Uint8Array): Uint8Array[] | null {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const [high = 0, low] = [bytes[at], bytes[at + 1]];
    const end = at + 2 + high * 256 + (low ?? 0);
    if (low === undefined || end > bytes.length) return null;
    parts.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return parts;
}

function textOf(bytes: Uint8Array | undefined): string | null {
  try {
    return bytes ? new TextDecoder("utf-8", { fatal: true }).decode(bytes) : null;
  } catch {
    return null;
  }
}

export function memberOf(leaf: number, identity: Uint8Array, signatureKey: Uint8Array): Member | null {
  const name = decodeName(identity);
  return name && { leaf, ...name, key: toHex(signatureKey) };
}
