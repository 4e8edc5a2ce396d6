/** Written by `shared/protocol/tests/the_web_client_has_our_names_and_numbers.rs`; RAILGUN_UPDATE=1 writes it anew. */

export const REQUEST_NAMES = [
  "voice:join",
  "voice:leave",
  "voice:rtc:getRouterRtpCapabilities",
  "voice:rtc:createTransport",
  "voice:rtc:connectTransport",
  "voice:rtc:produce",
  "voice:rtc:consume",
  "voice:rtc:pauseProducer",
  "voice:rtc:resumeProducer",
  "voice:rtc:pauseConsumer",
  "voice:rtc:resumeConsumer",
  "voice:rtc:closeProducer",
  "voice:state:update",
  "voice:rtc:setPreferredLayers",
  "voice:rtc:setPriority",
  "voice:rtc:requestKeyFrame",
  "voice:rtc:restartIce",
  "voice:rtc:getStats",
  "voice:stats:report",
  "voice:turn:refresh",
  "voice:entitlement:refresh",
  "voice:video:requestSlot",
  "voice:video:releaseSlot",
  "voice:ui:event",
  "voice:ping",
] as const;

export const ERROR_CODES = [
  "CHANNEL_NOT_FOUND",
  "CHANNEL_FULL",
  "PERMISSION_DENIED",
  "CAPABILITY_REQUIRED",
  "TRANSPORT_FAILED",
  "UNAUTHORIZED",
  "TOKEN_EXPIRED",
  "NOT_FOUND",
  "INVALID_PAYLOAD",
  "INVALID_STATE",
  "RATE_LIMITED",
  "VIDEO_LIMIT_REACHED",
  "UNSUPPORTED_CODEC",
  "NODE_UNAVAILABLE",
  "RESUME_FAILED",
  "INTERNAL",
] as const;

export const SOURCES = [
  "mic",
  "camera",
  "screen",
  "screenAudio",
] as const;

export const LIMITS = {
  audioBitrateFree: 32000,
  audioBitratePro: 64000,
  videoBitrate: 2500000,
  screenBitrate: 1500000,
} as const;
