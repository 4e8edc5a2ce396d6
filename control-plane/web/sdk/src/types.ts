/** What the service takes and gives. */
import type { VoiceError } from "./errors";
import type { InputLevels } from "./dsp/input-chain";
import type { DataReceived } from "./runtime/data-messages";
import type { Trouble } from "./runtime/health";
import type { MediaState } from "./runtime/path-watch";
import type { ChannelPeople, Ring, RingEnd } from "./runtime/presence";
import type { CallStats } from "./runtime/stats";
import type { VideoSource } from "./runtime/video-slots";
import type { VoiceState } from "./state-machine";
import type { Permissions, QueuePlace, RoomLimits, Source } from "./payloads";

export interface VoiceOptions {
  /** Of the server, as `https://voice.example.org`; absent: the page's own origin. */
  url?: string;
  /** Who the user is: a signed token, or how to get a fresh one. */
  token: string | (() => string | Promise<string>);
  /**
   * Names this device among the user's; a second call with the same one replaces the first. Absent: a random
   * one that is kept in `localStorage`, so one for each browser profile. `deviceIdOfTab()` gives each tab its
   * own.
   */
  deviceId?: string;
  /** Where a user gets Pro, as an `https:` URL; `openUpgrade` goes there. */
  upgradeUrl?: string;
}

/**
 * `"required"`: a call that is not encrypted from end to end is not entered. `invite`: the same, with its key, as
 * somebody's `createInvite` or `inviteCreated` gave it. `rotate`, true unless said otherwise: a new key when somebody
 * leaves, which the application has to carry to the others.
 */
export type EncryptionOptions = "required" | { invite?: string; rotate?: boolean; identity?: IdentityHook };

/** Whose a key is; another one for each join. */
export interface IdentityClaim {
  channelId: string;
  sessionId: string;
  userId: string;
  /** Ed25519, 32 bytes. */
  key: Uint8Array;
}

/**
 * Binds the keys of an encrypted channel to identities that the application knows. Without it the keys of each user are
 * believed when they are first seen, and the code is there to compare.
 */
export interface IdentityHook {
  /** What proves to the others that the key is the user's: a signature over it by a key that they know, for example. */
  credential(own: IdentityClaim): Uint8Array | Promise<Uint8Array>;
  /**
   * Whether a member is who it says it is. `credential`: what their application gave, null if it gave none. Who is not
   * believed, or not within 5 s, is put out of the group.
   */
  verify(member: IdentityClaim & { credential: Uint8Array | null }): boolean | Promise<boolean>;
}

/**
 * `verified`: by the application. `known`: with a key that this profile has seen before, or whose code was compared.
 * `new`: nobody of that user's was seen before. `changed`: only with other keys; it may be another device.
 */
export type IdentityTrust = "verified" | "known" | "new" | "changed";

export interface CallEncryption {
  /** `transport`: between each client and the server. */
  mode: "transport" | "endToEnd";
  /** `group`: made by the members (MLS), another one whenever somebody comes or leaves. Null: `mode` is `transport`. */
  keys: "invite" | "group" | null;
  /** 30 digits in six groups, equal for all who have the key; null without one: then nobody is heard and nothing is sent. */
  code: string | null;
  /** The user compared the code: `confirmCode`. */
  verified: boolean;
  /** Who has the key and is not in the call by the server's word. They are put out of the group within 2 s. */
  unlisted: { sessionId: string; userId: string }[];
  /** Sessions that broke the making of keys; it went on without them. */
  faulty: string[];
}

/**
 * Of somebody else, in a call that is encrypted from end to end. `pending`: nothing of theirs came yet; `keyMissing`:
 * what comes cannot be decrypted; `outside`: in the call by the server's word alone, so that they cannot hear anybody,
 * and nothing of theirs is opened.
 */
export type ParticipantEncryption = "pending" | "opened" | "keyMissing" | "outside";

/** This client has no key, or not any more: hand one in by `useInvite`. */
export interface InviteNeeded {
  channelId: string;
  /** `left`: somebody left, and nobody made a new key in time. */
  reason: "joined" | "left";
}

/** To be sent to these users over an encrypted channel of the application's own. */
export interface InviteCreated {
  channelId: string;
  invite: string;
  userIds: string[];
  /** `left`: a new key since somebody left; `joined`: the one in use, for somebody who came. */
  reason: "joined" | "left";
}

export interface VideoState {
  /** `granted`: it is our turn, press again; `heldBack`: paused because of the network. */
  status: "off" | "starting" | "queued" | "granted" | "on" | "heldBack";
  /** Whether the user may send it at all. */
  allowed: boolean;
  queue: QueuePlace | null;
  /** For a preview. */
  track: MediaStreamTrack | null;
  /** The system, or a switch on the device, lets no picture through: others see black. */
  mutedBySystem: boolean;
}

/** Somebody else in the call. */
export interface Participant {
  sessionId: string;
  userId: string;
  name: string;
  /**
   * Where a picture of them is, by their signed token: a path on the page's origin, or an `https:` URL of a host that
   * the operator listed. Null without one, and for whoever is in privacy mode. To be loaded with
   * `referrerpolicy="no-referrer"`.
   */
  avatar: string | null;
  /** They turned it off, or it was turned off for them. */
  muted: boolean;
  deafened: boolean;
  speaking: boolean;
  /** Its connection to the server is lost, and its sound may go on. */
  reconnecting: boolean;
  /** What of theirs does not arrive as it should; null when all is well, or nothing is to be expected. */
  trouble: Trouble | null;
  /** Null unless the call is encrypted from end to end. */
  encryption: ParticipantEncryption | null;
  /** Whether they are who they say they are; null where the keys are not made by the members. */
  identity: IdentityTrust | null;
  /** As set by `setPerUserVolume`, 0 to 2. */
  volume: number;
  camera: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
  /** What is sent, whether it is received already or not. */
  sends: { mic: boolean; camera: boolean; screen: boolean };
}

export interface VoiceSnapshot {
  state: VoiceState;
  /** Whether sound and video get through; `state` is about signaling. */
  media: MediaState;
  channelId: string | null;
  /** The channel is a DM, whose other members `ring` calls. */
  isDm: boolean;
  sessionId: string | null;
  permissions: Permissions | null;
  limits: RoomLimits | null;
  /** Null outside of a call. */
  encryption: CallEncryption | null;
  muted: boolean;
  /** The microphone is on, and the system or a switch on the device lets no sound through. */
  mutedBySystem: boolean;
  deafened: boolean;
  /** One's own voice is heard by the others now. */
  speaking: boolean;
  camera: VideoState;
  screen: VideoState;
  participants: Participant[];
  activeSpeaker: string | null;
  /** Who is in each channel that `watchChannel` watches. */
  channels: Record<string, ChannelPeople>;
  /** Calls to the user that ring now: answered by `joinChannel`, or else by `declineRing`. */
  rings: Ring[];
  stats: CallStats | null;
  /** Somebody's microphone is on, and no sound arrives from anybody. Said within 3 s. */
  noSound: boolean;
  /** This device is too slow for the video that it sends. */
  cpuLimited: boolean;
  /** Chosen device ids; `""` is the system's choice. */
  devices: { microphone: string; camera: string; speaker: string };
}

/** Something the user may want to know. */
export type Notice =
  | { kind: "sourceFailed"; source: Source; error: VoiceError }
  | { kind: "receiveFailed"; sessionId: string; error: VoiceError }
  | { kind: "queued"; source: VideoSource; text: string }
  | { kind: "slotGranted"; source: VideoSource }
  | { kind: "mutedByServer"; reason: "noise_loop" | "admin" }
  | { kind: "proEnded"; reason: "expired" | "revoked" }
  | { kind: "upgraded" }
  | { kind: "feedback" }
  | { kind: "microphoneLost" }
  /** It was taken away while it was sent; it is off now. */
  | { kind: "cameraLost" };

export interface VoiceEvents {
  /** Anything of the snapshot but levels. */
  change: VoiceSnapshot;
  state: { state: VoiceState; before: VoiceState };
  /** Sound and video get through, do not yet, or do not any more. */
  media: MediaState;
  notice: Notice;
  /** The server refused something that nobody waits for: worth a line in the application's log. */
  requestRefused: { event: string; error: VoiceError };
  /** Every two seconds of a call. */
  stats: CallStats;
  /** Twenty times a second, of one's own microphone. */
  inputLevel: InputLevels;
  /** Twenty times a second: by session, in dBFS. */
  levels: Map<string, number>;
  /** Somebody calls the user; heard in a call, while a channel is watched, and after `setReachable(true)`. */
  ringing: Ring;
  /** A call rings no more: one to the user, or the user's own. */
  ringEnded: RingEnd;
  /** Somebody's `sendData`. */
  data: DataReceived;
  inviteNeeded: InviteNeeded;
  inviteCreated: InviteCreated;
  /** A Free user asked for what needs Pro. */
  upgradeNeeded: { source: VideoSource };
  /** The call is over, though the user did not leave. */
  ended: VoiceError;
  /** The browser wants a click before it plays sound: call `resumePlayback` from one. */
  playbackBlocked: undefined;
}
