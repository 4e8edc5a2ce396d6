/** `@railgun/voice/gestures`: raised hands and reactions. */
import { VoiceError } from "./errors";
import { Emitter } from "./runtime/emitter";
import type { DataReceived } from "./runtime/data-messages";
import { isInCall } from "./state-machine";
import type { VoiceSnapshot } from "./types";
import type { VoiceService } from "./voice-service";

/** What can be reacted with. Nothing else that others send is shown. */
export const REACTIONS = ["👍", "❤️", "😂", "😮", "👏", "🎉"] as const;
export type Reaction = (typeof REACTIONS)[number];

/** The contract allows five messages a second; one is left for a hand. */
const REACTIONS_PER_SECOND = 4;
const HAND = "hand";
const REACTION = "reaction";

export interface GesturesEvents {
  /** A hand went up or down; whose are up is in `hands`, and `handRaised`. */
  change: undefined;
  /** `sessionId`: null for one's own. */
  reaction: { sessionId: string | null; emoji: Reaction };
}

/** Raised hands and reactions, over `sendData`. */
export class Gestures extends Emitter<GesturesEvents> {
  #hands = new Set<string>();
  #handRaised = false;
  #people = new Set<string>();
  #sessionId: string | null = null;
  #sentAt: number[] = [];
  #stops: (() => void)[];

  constructor(private readonly voice: VoiceService) {
    super();
    this.#stops = [
      voice.on("data", (data) => this.#onData(data)),
      voice.on("change", (snapshot) => this.#onChange(snapshot)),
    ];
    this.#onChange(voice.snapshot);
  }

  /** Sessions of others whose hand is up, in the order in which they raised it. */
  get hands(): ReadonlySet<string> {
    return this.#hands;
  }

  get handRaised(): boolean {
    return this.#handRaised;
  }

  async setHand(up: boolean): Promise<void> {
    if (up === this.#handRaised) return;
    this.#handRaised = up;
    this.emit("change", undefined);
    try {
      await this.voice.sendData(HAND, up ? "up" : "down");
    } catch (error) {
      this.#handRaised = !up;
      this.emit("change", undefined);
      throw error;
    }
  }

  /** Whether it was sent: more than four a second are not. */
  async react(emoji: Reaction): Promise<boolean> {
    const now = Date.now();
    this.#sentAt = this.#sentAt.filter((at) => now - at < 1_000);
    if (this.#sentAt.length >= REACTIONS_PER_SECOND) return false;
    this.#sentAt.push(now);
    this.emit("reaction", { sessionId: null, emoji });
    await this.voice.sendData(REACTION, emoji);
    return true;
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #onData({ sessionId, kind, payload }: DataReceived): void {
    if (kind === HAND) {
      const isUp = payload === "up";
      if (isUp === this.#hands.has(sessionId)) return;
      if (isUp) this.#hands.add(sessionId);
      else this.#hands.delete(sessionId);
      this.emit("change", undefined);
    } else if (kind === REACTION) {
      const emoji = REACTIONS.find((it) => it === payload);
      if (emoji) this.emit("reaction", { sessionId, emoji });
    }
  }

  #onChange({ state, sessionId, participants }: VoiceSnapshot): void {
    if (state === "DISCONNECTED") {
      this.#forget();
      return;
    }
    if (!isInCall(state) || state === "RESUMING") return;
    const before = sessionId === this.#sessionId ? this.#people : new Set<string>();
    this.#sessionId = sessionId;
    this.#people = new Set(participants.map((person) => person.sessionId));
    // Whoever came later has not seen it go up.
    for (const person of this.#people) {
      if (this.#handRaised && !before.has(person)) this.#tell(person);
    }
    const gone = [...this.#hands].filter((it) => !this.#people.has(it));
    for (const person of gone) this.#hands.delete(person);
    if (gone.length > 0) this.emit("change", undefined);
  }

  #tell(to: string): void {
    this.voice.sendData(HAND, "up", { to }).catch((thrown: unknown) => {
      const error = VoiceError.from(thrown);
      // Many came at once: again, unless it went down meanwhile or they left.
      if (error.code !== "RATE_LIMITED") return;
      setTimeout(() => this.#handRaised && this.#people.has(to) && this.#tell(to), Math.max(1_000, error.retryAfterMs));
    });
  }

  #forget(): void {
    const was = this.#handRaised || this.#hands.size > 0;
    this.#hands.clear();
    this.#people.clear();
    this.#handRaised = false;
    this.#sessionId = null;
    if (was) this.emit("change", undefined);
  }
}
