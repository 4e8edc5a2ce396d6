import { VoiceError } from "@railgun/voice";
import type { ReactNode } from "react";
import { useTexts, useVoice, useVoiceState } from "./provider";

export interface ToolbarProps {
  /** What did not work, for a message; closing the browser's own chooser is no failure. */
  onError?(error: VoiceError): void;
  /** After the user left. */
  onLeave?(): void;
  /** More buttons, before the last one. */
  children?: ReactNode;
}

/** Microphone, sound, camera, screen and the way out. A screen cannot be shared on most phones: no button then. */
export function Toolbar({ onError, onLeave, children }: ToolbarProps) {
  const voice = useVoice();
  const texts = useTexts();
  const muted = useVoiceState((snapshot) => snapshot.muted);
  const deafened = useVoiceState((snapshot) => snapshot.deafened);
  const camera = useVoiceState((snapshot) => snapshot.camera.status);
  const screen = useVoiceState((snapshot) => snapshot.screen.status);
  const run = (change: () => Promise<unknown>) => () =>
    void change().catch((thrown: unknown) => {
      const error = VoiceError.from(thrown);
      if (error.code !== "CANCELLED") onError?.(error);
    });
  const canShare = typeof navigator !== "undefined" && !!navigator.mediaDevices?.getDisplayMedia;
  const isOn = (status: string) => status === "on" || status === "heldBack" || status === "starting";
  const button = (name: string, pressed: boolean, label: string, change: () => Promise<unknown>) => (
    <button type="button" className={`rg-button rg-${name}`} data-on={pressed} onClick={run(change)}>
      {label}
    </button>
  );
  const share = async () => {
    try {
      await voice.toggleScreenShare();
    } catch (error) {
      if (VoiceError.from(error).code !== "CAPTURE_DENIED") throw error;
    }
  };
  return (
    <div className="rg-toolbar" role="group" aria-label={texts.controls}>
      {button("mute", !muted, muted ? texts.unmute : texts.mute, () => voice.toggleMute())}
      {button("deafen", !deafened, deafened ? texts.undeafen : texts.deafen, () => voice.toggleDeafen())}
      {button("camera", isOn(camera), isOn(camera) ? texts.stopCamera : texts.startCamera, () => voice.toggleVideo())}
      {canShare &&
        button("screen", isOn(screen), isOn(screen) ? texts.stopSharing : texts.shareScreen, share)}
      {children}
      <button
        type="button"
        className="rg-button rg-leave"
        onClick={() => void voice.leaveChannel().finally(() => onLeave?.())}
      >
        {texts.leave}
      </button>
    </div>
  );
}
