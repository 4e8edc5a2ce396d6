import type { Participant, VideoSource } from "@railgun/voice";
import { type ReactNode, useRef, useState } from "react";
import { useParticipants } from "./hooks";
import { useTexts, useVoiceState } from "./provider";
import { useViewport, Video } from "./video";

export interface TileProps {
  /** Null for oneself. */
  participant: Participant | null;
  source?: VideoSource;
  /** One's own name. */
  name?: string;
  /** Where one's own picture is. */
  avatar?: string | null;
  /** Shown over the tile. */
  children?: ReactNode;
}

/**
 * A person, or a screen that somebody shares: picture or initial, name, and what they are doing, which is also in
 * `data-speaking`, `data-muted`, `data-source` and `data-own` for styles.
 */
export function Tile({ participant, source = "camera", name: ownName = "", avatar: ownAvatar = null, children }: TileProps) {
  const texts = useTexts();
  const own = useVoiceState((snapshot) => snapshot[source].track);
  const ownSpeaks = useVoiceState(({ speaking }) => speaking);
  const ownMuted = useVoiceState(({ muted }) => muted);
  const ownDeafened = useVoiceState(({ deafened }) => deafened);
  const element = useRef<HTMLElement>(null);
  useViewport(element, participant?.sessionId ?? null, source);

  const name = participant?.name ?? ownName;
  const avatar = participant ? participant.avatar : ownAvatar;
  const track = participant ? participant[source] : own;
  const isScreen = source === "screen";
  const speaking = !isScreen && (participant ? participant.speaking : ownSpeaks);
  const muted = !isScreen && (participant ? participant.muted : ownMuted);
  const deafened = !isScreen && (participant ? participant.deafened : ownDeafened);
  const person = participant ? name : texts.you(name);
  const caption = isScreen ? (participant ? texts.screenOf(name) : texts.ownScreen) : person;
  const states = [
    participant?.reconnecting && texts.isReconnecting,
    !isScreen && participant?.trouble && texts.trouble[participant.trouble],
    deafened ? texts.isDeafened : muted && texts.isMuted,
  ].filter(Boolean);
  return (
    <figure
      ref={element}
      className="rg-tile"
      data-source={source}
      data-own={participant === null}
      data-speaking={speaking}
      data-muted={muted}
    >
      {track ? (
        <Video track={track} label={isScreen ? caption : texts.videoOf(name)} />
      ) : (
        <div className="rg-avatar" aria-hidden="true">
          {[...name.trim()][0]?.toUpperCase() ?? "?"}
          {avatar && !isScreen && <Picture key={avatar} url={avatar} />}
        </div>
      )}
      <figcaption className="rg-caption">
        <span className="rg-name">{caption}</span>
        {states.length > 0 && <span className="rg-state">{states.join(", ")}</span>}
      </figcaption>
      {children}
    </figure>
  );
}

/** Over an initial, which stays where it cannot be loaded. */
function Picture({ url }: { url: string }) {
  const [isBroken, setBroken] = useState(false);
  if (isBroken) return null;
  return <img className="rg-picture" src={url} alt="" referrerPolicy="no-referrer" onError={() => setBroken(true)} />;
}

/** Everybody in the call as tiles, screens before faces. `name`, `avatar`: one's own. */
export function Grid({ name = "", avatar = null }: Pick<TileProps, "name" | "avatar">) {
  const texts = useTexts();
  const participants = useParticipants();
  const sharesScreen = useVoiceState(({ screen }) => screen.track !== null);
  const screens = participants.filter(({ sends }) => sends.screen);
  return (
    <section className="rg-grid" aria-label={texts.people} data-screens={screens.length}>
      {screens.map((participant) => (
        <Tile key={`${participant.sessionId}-screen`} participant={participant} source="screen" />
      ))}
      <Tile key="own" participant={null} name={name} avatar={avatar} />
      {sharesScreen && <Tile key="own-screen" participant={null} source="screen" name={name} />}
      {participants.map((participant) => (
        <Tile key={participant.sessionId} participant={participant} />
      ))}
    </section>
  );
}
