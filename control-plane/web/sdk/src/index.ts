/** Voice and video calls on a Rail Gun server. */
import { VoiceError } from "./errors";
import type { VoiceOptions } from "./types";
import { VoiceService } from "./voice-service";

let service: VoiceService | null = null;

/** Makes the one service of this page; an earlier one leaves its call. */
export async function initVoiceService(options: VoiceOptions): Promise<VoiceService> {
  const before = service;
  service = new VoiceService(options);
  await before?.leaveChannel();
  return service;
}

/** Fails with `INVALID_STATE` before `initVoiceService`. */
export function getVoiceService(): VoiceService {
  if (!service) throw new VoiceError("INVALID_STATE", "initVoiceService was not called");
  return service;
}

/** The key of a new call in a channel that is encrypted from end to end: to be carried to the others in private. */
export async function createInvite(channelId: string): Promise<string> {
  const { freshInvite, writeInvite } = await import("./e2ee/invite");
  return writeInvite(channelId, freshInvite());
}

export { VoiceService } from "./voice-service";
export { type ClientErrorCode, VoiceError } from "./errors";
export type * from "./types";
export { calculateMOS, type Grade, GRADES, gradeOf, queueText } from "./quality";
export { type VoiceState, isInCall } from "./state-machine";
export type { Trouble } from "./runtime/health";
export type { MediaState } from "./runtime/path-watch";
export { deviceIdOfProfile, deviceIdOfTab } from "./runtime/device-id";
export type { DataReceived } from "./runtime/data-messages";
export type { ChannelPeople, Ring, RingEnd } from "./runtime/presence";
export type { CallStats } from "./runtime/stats";
export type { InputLevels } from "./dsp/input-chain";
export type { Viewport } from "./layers";
export { type DeviceList, listDevices, onDevicesChanged } from "./runtime/capture";
export type { ListenOptions } from "./runtime/emitter";
export type { VideoSource } from "./runtime/video-slots";
export type {
  ChannelPerson,
  ErrorCode,
  NetworkType,
  Permissions,
  QueuePlace,
  Refusal,
  RoomLimits,
  Source,
  UserId,
} from "./payloads";
