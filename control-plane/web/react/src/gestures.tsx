import type { VoiceError } from "@railgun/voice";
import { Gestures, type Reaction, REACTIONS } from "@railgun/voice/gestures";
import { useEffect, useMemo, useState } from "react";
import { useTexts, useVoice } from "./provider";

export interface GesturesState {
  handRaised: boolean;
  /** Sessions of others whose hand is up, first raised first. */
  hands: readonly string[];
  setHand(up: boolean): Promise<void>;
  react(emoji: Reaction): Promise<boolean>;
}

/** Raised hands, and a way to react. `onReaction`: each as it comes; `sessionId` is null for one's own. */
export function useGestures(onReaction?: (sessionId: string | null, emoji: Reaction) => void): GesturesState {
  const voice = useVoice();
  const [gestures, setGestures] = useState<Gestures | null>(null);
  const [state, setState] = useState<Pick<GesturesState, "handRaised" | "hands">>({ handRaised: false, hands: [] });
  useEffect(() => {
    const made = new Gestures(voice);
    const read = () => setState({ handRaised: made.handRaised, hands: [...made.hands] });
    made.on("change", read);
    setGestures(made);
    read();
    return () => made.close();
  }, [voice]);
  useEffect(() => gestures?.on("reaction", ({ sessionId, emoji }) => onReaction?.(sessionId, emoji)), [gestures, onReaction]);
  return useMemo(
    () => ({
      ...state,
      setHand: async (up) => gestures?.setHand(up),
      react: async (emoji) => (await gestures?.react(emoji)) ?? false,
    }),
    [state, gestures],
  );
}

export interface GestureBarProps {
  gestures: GesturesState;
  onError?(error: VoiceError): void;
}

/** Buttons for each reaction, and one for the hand. */
export function GestureBar({ gestures, onError }: GestureBarProps) {
  const texts = useTexts();
  const failed = (error: unknown) => onError?.(error as VoiceError);
  return (
    <div className="rg-gestures" role="group" aria-label={texts.gestures}>
      {REACTIONS.map((emoji) => (
        <button
          key={emoji}
          type="button"
          className="rg-button"
          aria-label={texts.reactWith(emoji)}
          onClick={() => void gestures.react(emoji).catch(failed)}
        >
          {emoji}
        </button>
      ))}
      <button
        type="button"
        className="rg-button rg-hand"
        aria-pressed={gestures.handRaised}
        onClick={() => void gestures.setHand(!gestures.handRaised).catch(failed)}
      >
        {gestures.handRaised ? texts.lowerHand : texts.raiseHand}
      </button>
    </div>
  );
}
