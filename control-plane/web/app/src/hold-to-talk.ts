import type { VoiceService } from "@railgun/voice";

export const TALK_KEY = "t";

/** Push-to-talk: who is muted is heard while the key is held. Gives back how to stop listening. */
export function holdToTalk(voice: VoiceService, failed: (error: unknown) => void): () => void {
  let isHeld = false;
  const press = (event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== TALK_KEY || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey || isHeld || !voice.snapshot.muted) return;
    if ((event.target as HTMLElement).closest("input, select, textarea, dialog")) return;
    event.preventDefault();
    isHeld = true;
    voice.setMuted(false).catch(failed);
  };
  const release = (event: KeyboardEvent | FocusEvent) => {
    if (!isHeld || (event instanceof KeyboardEvent && event.key.toLowerCase() !== TALK_KEY)) return;
    isHeld = false;
    // Whatever came of the press: nothing is heard from here on.
    voice.setMuted(true).catch(failed);
  };
  document.addEventListener("keydown", press);
  document.addEventListener("keyup", release);
  // The key may be let go in another window.
  window.addEventListener("blur", release);
  return () => {
    document.removeEventListener("keydown", press);
    document.removeEventListener("keyup", release);
    window.removeEventListener("blur", release);
  };
}
