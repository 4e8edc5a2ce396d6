/** Whose leaf is whose: by the application's hook, or by keys that are believed when they are first seen. */
import { VoiceError } from "../../errors";
import type { IdentityHook, IdentityTrust } from "../../types";
import { type Bytes, concat, fromBase64url, toBase64url, toHex, utf8, vec } from "../bytes";
import { type ProfileStorage, profileStorage, readStored, store } from "../profile-storage";
import type { LeafName } from "./credential";
import type { Identity } from "./library";
import type { Member } from "./port";
import { keygen, sign, type SigningKey, verify } from "./suite";

const LABEL = "railgun e2ee 1 leaf";
const FIRST_USE = 1;
const APPLICATIONS = 2;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const STORED = "railgun.identity";
/** Of whom keys are remembered, the newest; and how many of each. */
const USERS_MAX = 500;
const KEYS_MAX = 8;
/** How long the application may take to say whether it believes somebody, in milliseconds. */
const VERIFIED_WITHIN = 5_000;

interface Stored {
  own: { signKey: string; publicKey: string };
  /** By user id; the newest last. */
  known: [string, string[]][];
}

/** This profile's key, and the keys of others that it has seen. */
export class KnownKeys {
  private constructor(
    readonly own: SigningKey,
    private readonly known: Map<string, string[]>,
    private readonly storage: ProfileStorage | null,
  ) {}

  static async load(storage: ProfileStorage | null = profileStorage()): Promise<KnownKeys> {
    const stored = read(storage);
    const [signKey, publicKey] = [stored?.own.signKey, stored?.own.publicKey].map((it) => fromBase64url(it ?? ""));
    const own = signKey?.length && publicKey?.length === KEY_BYTES ? { signKey, publicKey } : await keygen();
    const keys = new KnownKeys(own, new Map(stored?.known), storage);
    keys.#keep();
    return keys;
  }

  /** `first`: whether a key of somebody unknown is believed. */
  trust(userId: string, key: string, first: boolean): IdentityTrust {
    const known = this.known.get(userId);
    if (known?.includes(key)) return "known";
    if (known || !first) return known ? "changed" : "new";
    this.believe(userId, key);
    return "new";
  }

  believe(userId: string, key: string): void {
    const known = (this.known.get(userId) ?? []).filter((it) => it !== key);
    this.known.delete(userId);
    this.known.set(userId, [...known, key].slice(-KEYS_MAX));
    for (const oldest of [...this.known.keys()].slice(0, -USERS_MAX)) this.known.delete(oldest);
    this.#keep();
  }

  #keep(): void {
    const own = { signKey: toBase64url(this.own.signKey), publicKey: toBase64url(this.own.publicKey) };
    store(this.storage, STORED, { own, known: [...this.known] } satisfies Stored);
  }
}

function read(storage: ProfileStorage | null): Stored | null {
  const stored = readStored(storage, STORED) as Stored | null;
  const isPair = (it: unknown) => Array.isArray(it) && typeof it[0] === "string" && Array.isArray(it[1]);
  return stored && Array.isArray(stored.known) && stored.known.every(isPair) ? stored : null;
}

/** Of one session. */
export class SessionIdentity implements Identity {
  constructor(
    private readonly own: { channelId: string; sessionId: string; userId: string },
    private readonly keys: KnownKeys,
    private readonly hook: IdentityHook | null,
  ) {}

  async credential(signatureKey: Uint8Array): Promise<Bytes> {
    const key = Uint8Array.from(signatureKey);
    if (this.hook) return concat(Uint8Array.of(APPLICATIONS), await this.hook.credential({ ...this.own, key }));
    const { publicKey, signKey } = this.keys.own;
    const signature = await sign(signKey, bound(this.own.channelId, this.own, signatureKey));
    return concat(Uint8Array.of(FIRST_USE), publicKey, signature);
  }

  async binds(leaf: LeafName, signatureKey: Uint8Array): Promise<boolean> {
    const { credential } = leaf;
    if (credential[0] === APPLICATIONS) return true;
    if (credential[0] !== FIRST_USE || credential.length !== 1 + KEY_BYTES + SIGNATURE_BYTES) return false;
    const [key, signature] = [credential.subarray(1, 1 + KEY_BYTES), credential.subarray(1 + KEY_BYTES)];
    return verify(key, bound(this.own.channelId, leaf, signatureKey), signature);
  }

  /** Null: it is not believed. */
  async trust({ sessionId, userId, key, credential }: Member): Promise<IdentityTrust | null> {
    const { channelId } = this.own;
    const given = Uint8Array.from(credential.subarray(1));
    if (!this.hook) return credential[0] === FIRST_USE ? this.keys.trust(userId, toHex(given.subarray(0, KEY_BYTES)), true) : "new";
    const bytes = Uint8Array.from(key.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    const shown = credential[0] === APPLICATIONS ? given : null;
    const answer = Promise.resolve(this.hook.verify({ channelId, sessionId, userId, key: bytes, credential: shown }));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), VERIFIED_WITHIN)));
    const isBelieved = await Promise.race([answer.catch(() => false), late]).finally(() => clearTimeout(timer));
    return isBelieved === true ? "verified" : null;
  }

  /** The user compared the code: these are theirs. */
  believe(members: readonly Member[]): void {
    for (const { userId, credential } of members) {
      if (credential[0] === FIRST_USE) this.keys.believe(userId, toHex(credential.subarray(1, 1 + KEY_BYTES)));
    }
  }
}

const bound = (channelId: string, { sessionId, userId }: { sessionId: string; userId: string }, signatureKey: Uint8Array) =>
  concat(utf8(LABEL), vec(utf8(channelId)), vec(utf8(sessionId)), vec(utf8(userId)), vec(signatureKey));

/** The user's id as a token says it; one's own is told by nobody else. */
export function subjectOf(token: string): string {
  try {
    const claims = JSON.parse(new TextDecoder().decode(fromBase64url(token.split(".")[1] ?? "") ?? undefined)) as { sub?: unknown };
    if (typeof claims.sub === "string" && claims.sub !== "") return claims.sub;
  } catch {
    // It is none.
  }
  throw new VoiceError("INVALID_STATE", "the token does not say who the user is", {}, true);
}
