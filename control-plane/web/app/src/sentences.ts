/** What the user is told, in plain sentences. */
import { type Notice, type Source, VoiceError } from "@railgun/voice";
import { t } from "./texts";
import { NoToken } from "./token";

/** Why something did not work. `source`: what it was about. */
export function describe(error: unknown, source: Source = "mic"): string {
  if (error instanceof NoToken) return error.message;
  if (!(error instanceof VoiceError)) return t.errors.browser;
  const { details } = error;
  switch (error.code) {
    case "CAPTURE_DENIED":
      return t.errors.captureDenied(source);
    case "DEVICE_NOT_FOUND":
      return t.errors.deviceNotFound(source);
    case "DEVICE_IN_USE":
      return t.errors.deviceInUse(source);
    case "CAPTURE_UNAVAILABLE":
      return t.errors.captureUnavailable(source);
    case "UNSUPPORTED_BROWSER":
      return t.errors.unsupportedBrowser;
    case "TIMEOUT":
    case "UNREACHABLE":
      return t.errors.unreachable;
    case "E2EE_DOWNGRADED":
      return t.errors.e2eeDowngraded;
    case "CAPABILITY_REQUIRED":
      if (details["capability"] === "E2EE") return t.errors.e2eeUnable;
      return details["capability"] === "SCREEN_SHARE" ? t.errors.screenNeedsPro : t.errors.cameraNeedsPro;
    case "VIDEO_LIMIT_REACHED":
      return t.errors.videoLimit(typeof details["max"] === "number" ? details["max"] : null);
    case "CHANNEL_FULL":
      return t.errors.channelFull;
    case "CHANNEL_NOT_FOUND":
      return t.errors.channelNotFound;
    case "PERMISSION_DENIED": {
      const until = error.retryAfterMs > 0 ? Date.now() + error.retryAfterMs : details["until"];
      if (until === undefined) return t.errors.notAllowed;
      const time = clockTime(until);
      return time ? t.errors.keptOutUntil(time) : t.errors.keptOut;
    }
    case "RATE_LIMITED":
      return error.retryAfterMs > 0
        ? t.errors.tooFastFor(Math.ceil(error.retryAfterMs / 1000))
        : t.errors.tooFast;
    case "UNAUTHORIZED":
      return t.errors.unauthorized;
    case "TOKEN_UNAVAILABLE":
      return error.cause instanceof NoToken ? error.cause.message : t.errors.noNewToken;
    case "TOKEN_EXPIRED":
      return t.errors.tokenExpired;
    case "NODE_UNAVAILABLE":
      return t.errors.nodeUnavailable;
    case "TRANSPORT_FAILED":
      return t.errors.transportFailed;
    case "UNSUPPORTED_CODEC":
      return t.errors.unsupportedCodec;
    case "INVALID_PAYLOAD":
      if (details["field"] === "invite") return t.errors.badKey;
      return t.errors.invalidPayload;
    default:
      return t.errors.other;
  }
}

/** Why a call is over that nobody left. */
export function describeEnd(error: VoiceError): string {
  const { reason, until } = error.details;
  if (reason === "replaced") return t.ends.replaced;
  const time = clockTime(until);
  if (reason === "noise_loop") return time ? t.ends.noiseLoopUntil(time) : t.ends.noiseLoop;
  if (reason) return time ? t.ends.removedUntil(time) : t.ends.removed;
  if (error.code === "UNREACHABLE" || error.code === "TIMEOUT") return t.ends.unreachable;
  return t.ends.ended(describe(error));
}

export interface Message {
  text: string;
  tone: "plain" | "good" | "bad";
}

export function describeNotice(notice: Notice, nameOf: (sessionId: string) => string): Message {
  switch (notice.kind) {
    case "sourceFailed":
      return { text: describe(notice.error, notice.source), tone: "bad" };
    case "receiveFailed":
      return {
        text: t.notices.cannotBeReceived(nameOf(notice.sessionId), describe(notice.error)),
        tone: "bad",
      };
    case "queued":
      return { text: notice.text, tone: "plain" };
    case "slotGranted":
      return { text: t.notices.slotGranted, tone: "good" };
    case "mutedByServer":
      return {
        text: notice.reason === "noise_loop" ? t.notices.noiseLoop : t.notices.mutedByModerator,
        tone: "bad",
      };
    case "proEnded":
      return { text: t.notices.proEnded, tone: "plain" };
    case "upgraded":
      return { text: t.notices.upgraded, tone: "good" };
    case "feedback":
      return { text: t.notices.feedback, tone: "plain" };
    case "microphoneLost":
      return { text: t.notices.microphoneLost, tone: "bad" };
    case "cameraLost":
      return { text: t.notices.cameraLost, tone: "bad" };
  }
}

/** A moment of the day; empty if it is none. */
function clockTime(until: unknown): string {
  const at = typeof until === "number" ? until * (until < 1e11 ? 1000 : 1) : Date.parse(String(until));
  if (!Number.isFinite(at)) return "";
  return new Date(at).toLocaleTimeString(t.code, { hour: "2-digit", minute: "2-digit" });
}
