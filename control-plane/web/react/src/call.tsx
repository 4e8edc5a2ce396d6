import { type Notice, VoiceError } from "@railgun/voice";
import { useEffect, useState } from "react";
import { Grid } from "./grid";
import { useEnded, useNotices, useQueue } from "./hooks";
import { PreJoin } from "./pre-join";
import { useTexts, useVoice, useVoiceState } from "./provider";
import type { Texts } from "./texts/en";
import { Toolbar, type ToolbarProps } from "./toolbar";

export interface CallProps extends Pick<ToolbarProps, "onLeave" | "children"> {
  channelId: string;
  /** One's own, for one's own tile; others see the token's. */
  name?: string;
  /** The same of one's picture. */
  avatar?: string | null;
  /** A Free user asked for what needs Pro; without it a sentence says so. */
  onUpgradeNeeded?(source: "camera" | "screen"): void;
}

/** A whole call: the devices before it, the tiles, the controls, and a word when something is not as it should. */
export function Call({ channelId, name = "", avatar = null, onLeave, onUpgradeNeeded, children }: CallProps) {
  const voice = useVoice();
  const texts = useTexts();
  const state = useVoiceState((snapshot) => snapshot.state);
  const [isIn, setIn] = useState(false);
  const [message, setMessage] = useState<string | null>(null);
  const ended = useEnded();
  useNotices((notice) => setMessage(textOfNotice(notice, texts)));
  useEffect(
    () =>
      voice.on("upgradeNeeded", ({ source }) =>
        onUpgradeNeeded ? onUpgradeNeeded(source) : setMessage(texts.needsPro),
      ),
    [voice, texts, onUpgradeNeeded],
  );
  useEffect(() => {
    if (state === "DISCONNECTED" || state === "LEAVING") setIn(false);
  }, [state]);
  const join = async ({ muted, camera }: { muted: boolean; camera: boolean }) => {
    setMessage(null);
    try {
      await voice.joinChannel(channelId, { muted });
      setIn(true);
      if (camera) await voice.setVideo(true);
    } catch (error) {
      setMessage(textOfError(error, texts));
    }
  };
  if (!isIn) return <PreJoin onJoin={join} error={ended ? textOfError(ended, texts) : message} />;
  return (
    <div className="rg-call">
      <Status message={message} />
      <Grid name={name} avatar={avatar} />
      <Toolbar onError={(error) => setMessage(textOfError(error, texts))} {...(onLeave && { onLeave })}>
        {children}
      </Toolbar>
    </div>
  );
}

function Status({ message }: { message: string | null }) {
  const voice = useVoice();
  const texts = useTexts();
  const state = useVoiceState((snapshot) => snapshot.state);
  const media = useVoiceState((snapshot) => snapshot.media);
  const noSound = useVoiceState((snapshot) => snapshot.noSound);
  const mutedBySystem = useVoiceState((snapshot) => snapshot.mutedBySystem);
  const cameraMutedBySystem = useVoiceState((snapshot) => snapshot.camera.mutedBySystem);
  const { camera, screen } = useQueue();
  const [isBlocked, setBlocked] = useState(false);
  useEffect(() => voice.on("playbackBlocked", () => setBlocked(true)), [voice]);
  const place = camera ?? screen;
  const said = [
    ["RESUMING", "REJOINING", "JOINING"].includes(state) && texts.reconnecting,
    media === "connecting" && texts.connecting,
    media === "interrupted" && texts.interrupted,
    noSound && texts.noSoundFromAnybody,
    mutedBySystem && texts.mutedBySystem,
    cameraMutedBySystem && texts.cameraMutedBySystem,
    place && texts.queue(place.position, place.current, place.max),
    message,
  ];
  return (
    <div className="rg-status" role="status">
      {said.map((text, index) => text && <p key={index}>{text}</p>)}
      {isBlocked && (
        <p>
          {texts.soundHeldBack}{" "}
          <button
            type="button"
            className="rg-button"
            onClick={() => {
              voice.resumePlayback();
              setBlocked(false);
            }}
          >
            {texts.playSound}
          </button>
        </p>
      )}
    </div>
  );
}

function textOfError(error: unknown, texts: Texts): string {
  if (!(error instanceof VoiceError)) return error instanceof Error ? error.message : texts.otherError;
  return texts.errors[error.code] ?? texts.otherError;
}

function textOfNotice(notice: Notice, texts: Texts): string | null {
  switch (notice.kind) {
    case "sourceFailed":
    case "receiveFailed":
      return textOfError(notice.error, texts);
    case "mutedByServer":
    case "proEnded":
    case "feedback":
    case "microphoneLost":
    case "cameraLost":
    case "slotGranted":
      return texts[notice.kind];
    default:
      return null;
  }
}
