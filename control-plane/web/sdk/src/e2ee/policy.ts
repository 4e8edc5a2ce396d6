/** What a client insists on, whatever the server answers. */
import { VoiceError } from "../errors";
import type { Joined } from "../payloads";
import { encryptionSupport, markSeen, SEEN_KEY } from "../runtime/encryption-support";
import type { EncryptionOptions } from "../types";
import { type ProfileStorage, profileStorage, readStored, store } from "./profile-storage";

type Encryption = Joined["encryption"];

/** Channels that are remembered, the newest. */
const REMEMBERED_MAX = 500;

/** The channels that this profile was in while they were encrypted. Other tabs add to them as well. */
export class SeenEncrypted {
  /** What this page saw, for browsers that store nothing. */
  #here: string[] = [];

  constructor(private readonly storage: ProfileStorage | null = profileStorage()) {}

  has(channelId: string): boolean {
    return this.#all().includes(channelId);
  }

  add(channelId: string): void {
    markSeen();
    this.#keep([...this.#all().filter((it) => it !== channelId), channelId].slice(-REMEMBERED_MAX));
  }

  forget(channelId: string): void {
    this.#keep(this.#all().filter((it) => it !== channelId));
  }

  #all(): string[] {
    const seen = readStored(this.storage, SEEN_KEY);
    const stored = Array.isArray(seen) ? seen.filter((it) => typeof it === "string") : [];
    return [...new Set([...stored, ...this.#here])];
  }

  #keep(seen: string[]): void {
    this.#here = seen;
    store(this.storage, SEEN_KEY, seen);
  }
}

const seenHere = new SeenEncrypted();

/** Lets the channel go on without end-to-end encryption. */
export const forget = (channelId: string) => seenHere.forget(channelId);

/** Of one call: what the application asked for, and what this profile knows of the channel. */
export class EncryptionPolicy {
  constructor(
    readonly channelId: string,
    private readonly options: EncryptionOptions | undefined,
    private readonly seen = seenHere,
    private readonly support = encryptionSupport(),
  ) {
    if (this.isDemanded) this.#loadGroupKeys();
  }

  get isDemanded(): boolean {
    return this.options === "required" || this.#hasInvite || this.seen.has(this.channelId);
  }

  get #hasInvite(): boolean {
    return typeof this.options === "object" && this.options.invite !== undefined;
  }

  /** What keys of a group need comes while the server answers, so that nobody waits for it. */
  #loadGroupKeys(): void {
    if (!this.#hasInvite && this.support) import("./mls/group-keys").catch(() => undefined);
  }

  /** Before the server is asked. Fails with `CAPABILITY_REQUIRED`. */
  check(): void {
    if (this.isDemanded && !this.support) throw unable();
  }

  /** Whether frames are encrypted. Fails with `E2EE_DOWNGRADED`, before there is a transport. */
  decide(answer: Encryption | undefined): boolean {
    if (answer === "endToEnd") {
      if (!this.support) throw unable();
      this.seen.add(this.channelId);
      this.#loadGroupKeys();
      return true;
    }
    if (!this.isDemanded) return false;
    const message = "the server does not encrypt this channel end to end any more, or somebody on the way says so";
    throw new VoiceError("E2EE_DOWNGRADED", message, { encryption: answer ?? "transport" }, true);
  }
}

const unable = () =>
  new VoiceError("CAPABILITY_REQUIRED", "this browser cannot encrypt from end to end", { capability: "E2EE" }, true);
