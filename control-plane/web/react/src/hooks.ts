import {
  type CallStats,
  type ChannelPeople,
  type DeviceList,
  type InputLevels,
  listDevices,
  type Notice,
  onDevicesChanged,
  type Participant,
  type QueuePlace,
  type VideoSource,
  type VoiceError,
} from "@railgun/voice";
import { useEffect, useMemo, useRef, useState } from "react";
import { useVoice, useVoiceState } from "./provider";

/** Everybody else in the call. */
export function useParticipants(): Participant[] {
  return useVoiceState(({ participants }) => participants);
}

export interface VideoTrack {
  /** Stable while the video goes on; for React's `key`. */
  key: string;
  /** Null for one's own. */
  participant: Participant | null;
  source: VideoSource;
  track: MediaStreamTrack;
}

/** Every video there is to show, one's own first. `source`: those alone. */
export function useTracks(source?: VideoSource): VideoTrack[] {
  const camera = useVoiceState((snapshot) => snapshot.camera.track);
  const screen = useVoiceState((snapshot) => snapshot.screen.track);
  const participants = useParticipants();
  return useMemo(() => {
    const all: (Omit<VideoTrack, "track"> & { track: MediaStreamTrack | null })[] = [
      { key: "own-camera", participant: null, source: "camera", track: camera },
      { key: "own-screen", participant: null, source: "screen", track: screen },
      ...participants.flatMap((participant) =>
        (["camera", "screen"] as const).map((it) => ({
          key: `${participant.sessionId}-${it}`,
          participant,
          source: it,
          track: participant[it],
        })),
      ),
    ];
    return all.filter((it): it is VideoTrack => it.track !== null && (!source || it.source === source));
  }, [camera, screen, participants, source]);
}

const NONE: DeviceList = { microphones: [], speakers: [], cameras: [] };

export interface Devices extends DeviceList {
  /** Ids; `""` is the system's choice. */
  chosen: { microphone: string; camera: string; speaker: string };
  choose(kind: "microphone" | "camera" | "speaker", deviceId: string): Promise<void>;
}

/** Devices to choose from, kept up to date. Their names are empty until the user has once allowed one. */
export function useDevices(): Devices {
  const voice = useVoice();
  const chosen = useVoiceState(({ devices }) => devices);
  const isOpen = useVoiceState(({ muted, state }) => !muted && state !== "DISCONNECTED");
  const [list, setList] = useState(NONE);
  useEffect(() => {
    let isCurrent = true;
    const read = () =>
      listDevices().then(
        (devices) => isCurrent && setList(devices),
        () => undefined,
      );
    void read();
    const stop = onDevicesChanged(() => void read());
    return () => {
      isCurrent = false;
      stop();
    };
    // Names come with the first device that was allowed.
  }, [isOpen]);
  return useMemo(
    () => ({
      ...list,
      chosen,
      choose: (kind, deviceId) => {
        if (kind === "microphone") return voice.setMicrophone(deviceId);
        return kind === "camera" ? voice.setCamera(deviceId) : voice.setSpeaker(deviceId);
      },
    }),
    [voice, list, chosen],
  );
}

/** The last look at the network of the call; null before the first. */
export function useStats(): CallStats | null {
  return useVoiceState(({ stats }) => stats);
}

/** Places in the queue for video; null is none. */
export function useQueue(): { camera: QueuePlace | null; screen: QueuePlace | null } {
  const camera = useVoiceState((snapshot) => snapshot.camera.queue);
  const screen = useVoiceState((snapshot) => snapshot.screen.queue);
  return useMemo(() => ({ camera, screen }), [camera, screen]);
}

const UNKNOWN: ChannelPeople = { people: null, error: null };

/** Who is in a channel, which need not be joined; `people` is null while it is not known, or may not be. */
export function useChannelPeople(channelId: string): ChannelPeople {
  const voice = useVoice();
  useEffect(() => voice.watchChannel(channelId), [voice, channelId]);
  return useVoiceState(({ channels }) => channels[channelId] ?? UNKNOWN);
}

/** Calls back for each notice; the newest function is the one that is called. */
export function useNotices(handler: (notice: Notice) => void): void {
  const voice = useVoice();
  const latest = useRef(handler);
  useEffect(() => void (latest.current = handler));
  useEffect(() => voice.on("notice", (notice) => latest.current(notice)), [voice]);
}

/** Of one's own microphone, twenty times a second; null before it is open. */
export function useInputLevel(): InputLevels | null {
  const voice = useVoice();
  const [levels, setLevels] = useState<InputLevels | null>(null);
  useEffect(() => voice.on("inputLevel", setLevels), [voice]);
  return levels;
}

/** Why the last call ended though the user did not leave; null while there is a call. */
export function useEnded(): VoiceError | null {
  const voice = useVoice();
  const [error, setError] = useState<VoiceError | null>(null);
  useEffect(() => {
    const stops = [
      voice.on("ended", setError),
      voice.on("state", ({ state }) => state === "JOINING" && setError(null)),
    ];
    return () => stops.forEach((stop) => stop());
  }, [voice]);
  return error;
}
