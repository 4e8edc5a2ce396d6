/** What is shown of a call, put together from those who know it. */
import { SILENCE_DB } from "../dsp/decibel";
import type { Participant, ParticipantEncryption, VideoState } from "../types";
import type { Trouble } from "./health";
import type { Publisher } from "./publisher";
import type { Receiver } from "./receiver";
import type { RemoteParticipant } from "./room";
import type { Source } from "../payloads";
import type { Speakers } from "./speakers";
import type { VideoSlots, VideoSource } from "./video-slots";

/** Louder than this somebody counts as speaking, whatever the server says. */
const SPEAKING_DB = -45;

export function isLoud(level: number | undefined): boolean {
  return (level ?? SILENCE_DB) > SPEAKING_DB;
}

export function sourceOf({ sources }: RemoteParticipant, wanted: Source) {
  return [...sources.values()].find(({ source }) => source === wanted);
}

export function describeParticipant(
  remote: RemoteParticipant,
  receiver: Receiver | null,
  speakers: Speakers,
  level: number | undefined,
  trouble: Trouble | undefined,
  encryption: ParticipantEncryption | null,
): Participant {
  const { sessionId, userId, name, muted, deafened, speaking, reconnecting } = remote;
  const video = (source: VideoSource) => {
    const found = sourceOf(remote, source);
    return found && !found.paused ? (receiver?.track(found.producerId) ?? null) : null;
  };
  const mic = sourceOf(remote, "mic");
  // Who sends no sound may just be reconnecting; those who joined muted said so.
  const isMuted = muted || (mic?.paused ?? false);
  return {
    sessionId,
    userId,
    name,
    muted: isMuted,
    deafened,
    // What the server last said of them may be old when nothing arrives.
    speaking: !isMuted && trouble !== "noSound" && (isLoud(level) || speaking),
    reconnecting,
    trouble: trouble ?? null,
    encryption,
    volume: speakers.userVolume(userId),
    camera: video("camera"),
    screen: video("screen"),
    sends: { mic: !!mic, camera: !!sourceOf(remote, "camera"), screen: !!sourceOf(remote, "screen") },
  };
}

export function describeVideo(
  source: VideoSource,
  publisher: Publisher,
  slots: VideoSlots,
  isStarting: boolean,
  allowed: boolean,
): VideoState {
  const queue = slots.place(source);
  let status: VideoState["status"] = "off";
  if (publisher.isHeldBack(source)) status = "heldBack";
  else if (publisher.isSending(source)) status = "on";
  else if (isStarting) status = "starting";
  else if (queue) status = "queued";
  else if (slots.isGranted(source)) status = "granted";
  return { status, allowed, queue, track: publisher.track(source) };
}
