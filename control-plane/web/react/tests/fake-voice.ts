import type { Participant, VideoState, VoiceService, VoiceSnapshot } from "@railgun/voice";
import { vi } from "vitest";

const video = (more: Partial<VideoState> = {}): VideoState => ({
  status: "off",
  allowed: true,
  mutedBySystem: false,
  queue: null,
  track: null,
  ...more,
});

export const person = (name: string, more: Partial<Participant> = {}): Participant => ({
  sessionId: name,
  userId: name,
  name,
  avatar: null,
  muted: false,
  deafened: false,
  speaking: false,
  reconnecting: false,
  trouble: null,
  encryption: null,
  identity: null,
  volume: 1,
  camera: null,
  screen: null,
  sends: { mic: true, camera: false, screen: false },
  ...more,
});

/** A service without a server: it says what the test lets it say. */
export function fakeVoice() {
  const handlers = new Map<string, Set<(event: unknown) => void>>();
  const emit = (name: string, event?: unknown) => handlers.get(name)?.forEach((handler) => handler(event));
  const voice = {
    snapshot: {
      state: "DISCONNECTED",
      media: "idle",
      channelId: null,
      sessionId: null,
      permissions: null,
      limits: null,
      encryption: null,
      muted: false,
      deafened: false,
      speaking: false,
      camera: video(),
      screen: video(),
      participants: [] as Participant[],
      activeSpeaker: null,
      channels: {},
      rings: [],
      isDm: false,
      stats: null,
      noSound: false,
      cpuLimited: false,
      devices: { microphone: "", camera: "", speaker: "" },
    } as unknown as VoiceSnapshot,
    on(name: string, handler: (event: unknown) => void) {
      handlers.set(name, (handlers.get(name) ?? new Set()).add(handler));
      return () => void handlers.get(name)?.delete(handler);
    },
    emit,
    /** As a server's word would. */
    become(change: Partial<VoiceSnapshot>) {
      voice.snapshot = { ...voice.snapshot, ...change };
      emit("change", voice.snapshot);
    },
    listeners: () => [...handlers.values()].reduce((count, set) => count + set.size, 0),
    joinChannel: vi.fn(async (_channelId: string, _options: object) => voice.become({ state: "READY" })),
    leaveChannel: vi.fn(async () => voice.become({ state: "DISCONNECTED" })),
    setVideo: vi.fn(async () => true),
    toggleMute: vi.fn(async () => true),
    toggleDeafen: vi.fn(async () => true),
    toggleVideo: vi.fn(async () => true),
    toggleScreenShare: vi.fn(async () => true),
    setViewport: vi.fn(),
    watchChannel: vi.fn((_channelId: string) => voice.unwatch),
    sendData: vi.fn(async (_kind: string, _payload: string, _options?: object): Promise<void> => undefined),
    declineRing: vi.fn(async () => undefined),
    unwatch: vi.fn((): void => undefined),
    resumePlayback: vi.fn(),
  };
  return voice as typeof voice & VoiceService;
}
export { video };
