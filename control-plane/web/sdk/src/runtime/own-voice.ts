/** One's own microphone: off and on in the order in which it is asked for, and whether we speak. */
import type { InputLevels } from "../dsp/input-chain";
import type { Publisher } from "./publisher";

/** Between two words about whether we speak, in milliseconds. */
const SPEAKING_INTERVAL = 300;

export interface OwnVoiceHandlers {
  changed(): void;
  /** It was turned off or on. */
  switched(): void;
  /** Tells the others; false while nobody can be told. */
  speaks(speaking: boolean): boolean;
}

export class OwnVoice {
  #busy: Promise<void> = Promise.resolve();
  #speaking = false;
  #told = { speaking: false, at: 0 };

  constructor(
    private readonly publisher: Publisher,
    private readonly handlers: OwnVoiceHandlers,
  ) {}

  /** Others hear it now. */
  get speaking(): boolean {
    return this.#speaking && !this.publisher.muted;
  }

  /** What is asked for last holds: an unmute that waits for the user's permission ends with a mute. */
  setMuted(muted: boolean): Promise<boolean> {
    const { publisher } = this;
    if (muted) publisher.muteNow();
    else publisher.wantsMuted = false;
    return this.change(async () => {
      if (publisher.wantsMuted !== muted) return;
      await publisher.setMuted(muted).catch((error: unknown) => {
        publisher.muteNow();
        throw error;
      });
      this.handlers.switched();
    });
  }

  /** One after the other. Whether the microphone is off afterwards. */
  change(change: () => Promise<void>): Promise<boolean> {
    const changed = this.#busy.then(change);
    this.#busy = changed.catch(() => undefined);
    return changed.then(() => this.publisher.muted);
  }

  /** In a new room, instead of what was asked for in the one before. */
  begin(change: Promise<void>): void {
    this.#busy = change;
  }

  heard({ speaking }: InputLevels): void {
    if (speaking !== this.#speaking) this.handlers.changed();
    this.#speaking = speaking;
    const now = this.speaking;
    if (now === this.#told.speaking || Date.now() - this.#told.at < SPEAKING_INTERVAL) return;
    if (!this.handlers.speaks(now)) return;
    this.#told = { speaking: now, at: Date.now() };
    this.handlers.changed();
  }

  /** The call is over. */
  reset(): void {
    this.#speaking = false;
    this.#told = { speaking: false, at: 0 };
  }
}
