import type { VoiceService } from "@railgun/voice";

/** `togglemicrophone` and `hangup` are younger than TypeScript's library. */
type Action = MediaSessionAction | "togglemicrophone" | "togglecamera" | "hangup";
type Session = MediaSession & { setMicrophoneActive?(on: boolean): void; setCameraActive?(on: boolean): void };

/**
 * Lets keys of a headset, of the keyboard and of the browser's own window for a picture do the same as the page's, also while
 * another window is in front (Media Session). Gives back how to stop.
 */
export function listenToMediaKeys(voice: VoiceService, run: (command: "mute" | "camera" | "leave") => void): () => void {
  const session = navigator.mediaSession as Session | undefined;
  const set = (action: Action, handler: (() => void) | null) => {
    try {
      session?.setActionHandler(action as MediaSessionAction, handler);
    } catch {
      // A browser without this one.
    }
  };
  const actions: [Action, "mute" | "camera" | "leave"][] = [
    ["togglemicrophone", "mute"],
    ["togglecamera", "camera"],
    ["hangup", "leave"],
  ];
  for (const [action, command] of actions) set(action, () => run(command));
  const tell = () => {
    session?.setMicrophoneActive?.(!voice.snapshot.muted);
    session?.setCameraActive?.(voice.snapshot.camera.track !== null);
  };
  const stop = voice.on("change", tell);
  tell();
  return () => {
    stop();
    for (const [action] of actions) set(action, null);
  };
}
