/** What is shown of a call, put together from those who know it. */
import { SILENCE_DB } from "../dsp/decibel";
import type { Encryption } from "../e2ee/encryption";
import type { Source } from "../payloads";
import type { VoiceState } from "../state-machine";
import type { Participant, VideoState, VoiceSnapshot } from "../types";
import type { Health, Trouble } from "./health";
import type { Microphone } from "./microphone";
import type { MediaState } from "./path-watch";
import type { Presence } from "./presence";
import type { Publisher } from "./publisher";
import type { Receiver } from "./receiver";
import type { RemoteParticipant, Room } from "./room";
import type { Speakers } from "./speakers";
import type { CallStats } from "./stats";
import type { VideoSlots, VideoSource } from "./video-slots";

/** Louder than this somebody counts as speaking, whatever the server says. */
const SPEAKING_DB = -45;

export function isLoud(level: number | undefined): boolean {
  return (level ?? SILENCE_DB) > SPEAKING_DB;
}

export function sourceOf({ sources }: RemoteParticipant, wanted: Source) {
  return [...sources.values()].find(({ source }) => source === wanted);
}

const NOT_ENCRYPTED: VoiceSnapshot["encryption"] = {
  mode: "transport",
  keys: null,
  code: null,
  verified: false,
  unlisted: [],
  faulty: [],
};

/** Who knows what is shown. */
export interface CallParts {
  readonly state: VoiceState;
  readonly connection: { readonly mediaState: MediaState };
  readonly room: Room;
  readonly receiver: Receiver | null;
  readonly speakers: Speakers;
  readonly microphone: Microphone;
  readonly publisher: Publisher;
  readonly slots: VideoSlots;
  readonly presence: Presence;
  readonly encryption: Encryption | null;
  readonly video: { isStarting(source: VideoSource): boolean };
  readonly voice: { readonly speaking: boolean };
  readonly deafened: boolean;
  readonly measured: { stats: CallStats | null; health: Health; levels: ReadonlyMap<string, number> };
  isAllowed(source: VideoSource): boolean;
}

export function describeCall(call: CallParts): VoiceSnapshot {
  const { state, room, receiver, speakers, publisher, slots, encryption, measured } = call;
  const { channelId, isDm, sessionId, permissions, limits, activeSpeaker } = room;
  const { stats, health, levels } = measured;
  const media = call.connection.mediaState;
  // What the server last said of who speaks is old while neither it nor their sound is heard.
  const isCurrent = state !== "RESUMING" && media !== "interrupted";
  const now = (remote: RemoteParticipant) => (isCurrent ? remote : { ...remote, speaking: false });
  const video = (source: VideoSource) =>
    describeVideo(source, publisher, slots, call.video.isStarting(source), call.isAllowed(source));
  return {
    state,
    media,
    channelId,
    isDm,
    sessionId,
    permissions,
    limits,
    encryption: channelId === null ? null : (encryption?.snapshot ?? NOT_ENCRYPTED),
    muted: publisher.muted,
    mutedBySystem: !publisher.muted && call.microphone.isSilenced,
    deafened: call.deafened,
    speaking: call.voice.speaking,
    camera: video("camera"),
    screen: video("screen"),
    participants: room.people.map((remote) =>
      describeParticipant(
        now(remote),
        receiver,
        speakers,
        levels.get(remote.sessionId),
        health.people.get(remote.sessionId),
        encryption,
      ),
    ),
    activeSpeaker,
    channels: call.presence.channels,
    rings: call.presence.rings,
    stats,
    noSound: health.noSound,
    cpuLimited: stats?.cpuLimited ?? false,
    devices: { microphone: call.microphone.deviceId, camera: publisher.cameraId, speaker: speakers.deviceId },
  };
}

function describeParticipant(
  remote: RemoteParticipant,
  receiver: Receiver | null,
  speakers: Speakers,
  level: number | undefined,
  trouble: Trouble | undefined,
  encryption: Pick<Encryption, "of" | "trustOf"> | null,
): Participant {
  const { sessionId, userId, name, avatar, muted, deafened, speaking, reconnecting } = remote;
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
    avatar,
    muted: isMuted,
    deafened,
    // What the server last said of them may be old when nothing arrives.
    speaking: !isMuted && trouble !== "noSound" && (isLoud(level) || speaking),
    reconnecting,
    trouble: trouble ?? null,
    encryption: encryption?.of(sessionId) ?? null,
    identity: encryption?.trustOf(sessionId) ?? null,
    volume: speakers.userVolume(userId),
    camera: video("camera"),
    screen: video("screen"),
    sends: { mic: !!mic, camera: !!sourceOf(remote, "camera"), screen: !!sourceOf(remote, "screen") },
  };
}

function describeVideo(
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
  const track = publisher.track(source);
  return { status, allowed, queue, track, mutedBySystem: track?.muted ?? false };
}
