/** What the user is told, in plain sentences. */
import { type Notice, type Source, VoiceError } from "@railgun/voice";
import { NoToken } from "./token";

const DEVICE: Record<Source, string> = {
  mic: "microphone",
  camera: "camera",
  screen: "screen",
  screenAudio: "screen's sound",
};

/** Why something did not work. `source`: what it was about. */
export function describe(error: unknown, source: Source = "mic"): string {
  if (error instanceof NoToken) return error.message;
  if (!(error instanceof VoiceError))
    return "Something went wrong in the browser. Reload the page and try again.";
  const device = DEVICE[source];
  const { details } = error;
  switch (error.code) {
    case "CAPTURE_DENIED":
      return `The browser did not allow the ${device}. Allow it for this page and try again.`;
    case "DEVICE_NOT_FOUND":
      return `No ${device} was found on this device.`;
    case "DEVICE_IN_USE":
      return `The ${device} is in use by another program.`;
    case "CAPTURE_UNAVAILABLE":
      return `The browser gives no ${device} to this page. Open it over HTTPS or on this machine.`;
    case "UNSUPPORTED_BROWSER":
      return "This browser cannot hold calls. Use a current Chrome, Edge, Firefox or Safari.";
    case "TIMEOUT":
    case "UNREACHABLE":
      return "The server does not answer. Check your connection and try again.";
    case "CAPABILITY_REQUIRED":
      return details["capability"] === "SCREEN_SHARE"
        ? "Sharing your screen needs Pro."
        : "Your camera needs Pro.";
    case "VIDEO_LIMIT_REACHED":
      return `All ${count(details["max"])}video places in this channel are taken. Try again when one is free.`;
    case "CHANNEL_FULL":
      return "This channel is full. Try again when somebody has left.";
    case "CHANNEL_NOT_FOUND":
      return "There is no such channel.";
    case "PERMISSION_DENIED": {
      const until = error.retryAfterMs > 0 ? Date.now() + error.retryAfterMs : details["until"];
      return until === undefined
        ? "You are not allowed to do that in this channel."
        : `You are kept out of this channel${untilText(until)}.`;
    }
    case "RATE_LIMITED":
      return error.retryAfterMs > 0
        ? `That was too fast. Try again in ${Math.ceil(error.retryAfterMs / 1000)} seconds.`
        : "That was too fast. Wait a moment and try again.";
    case "UNAUTHORIZED":
      return "The server did not accept who you are. Ask for a new token.";
    case "TOKEN_UNAVAILABLE":
      return error.cause instanceof NoToken ? error.cause.message : "No new token could be had. Join again.";
    case "TOKEN_EXPIRED":
      return "Your token has expired. Ask for a new one.";
    case "NODE_UNAVAILABLE":
      return "No media server is free right now. Try again in a moment.";
    case "TRANSPORT_FAILED":
      return "Sound and video cannot get through to the server from this network.";
    case "UNSUPPORTED_CODEC":
      return "Your browser cannot play what this person sends.";
    case "INVALID_PAYLOAD":
      return "The server could not read that. Use a shorter name made of plain letters and digits.";
    default:
      return "That did not work. Try again.";
  }
}

/** Why a call is over that nobody left. */
export function describeEnd(error: VoiceError): string {
  const { reason, until } = error.details;
  if (reason === "replaced") return "You joined from another place, so the call ended here.";
  if (reason === "noise_loop") return `You were removed for unusual audio${untilText(until)}.`;
  if (reason) return `You were removed from the call${untilText(until)}.`;
  if (error.code === "UNREACHABLE" || error.code === "TIMEOUT") {
    return "The server could not be reached again, so the call has ended.";
  }
  return `The call has ended. ${describe(error)}`;
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
        text: `${nameOf(notice.sessionId)} cannot be received. ${describe(notice.error)}`,
        tone: "bad",
      };
    case "queued":
      return { text: notice.text, tone: "plain" };
    case "slotGranted":
      return { text: "It is your turn: share your screen within 30 seconds.", tone: "good" };
    case "mutedByServer":
      return notice.reason === "noise_loop"
        ? { text: "Muted due to unusual audio. You can unmute.", tone: "bad" }
        : { text: "A moderator has muted you.", tone: "bad" };
    case "proEnded":
      return {
        text: "Your Pro subscription has ended. Video stopped; you can go on talking.",
        tone: "plain",
      };
    case "upgraded":
      return { text: "Welcome to Pro: camera and screen sharing are unlocked.", tone: "good" };
    case "feedback":
      return { text: "Possible feedback. Use headphones? The volume was lowered by 30 %.", tone: "plain" };
    case "microphoneLost":
      return { text: "Your microphone is gone. Plug it in again, or choose another one.", tone: "bad" };
  }
}

function count(value: unknown): string {
  return typeof value === "number" ? `${value} ` : "";
}

function untilText(until: unknown): string {
  const at = typeof until === "number" ? until * (until < 1e11 ? 1000 : 1) : Date.parse(String(until));
  if (!Number.isFinite(at)) return "";
  return ` until ${new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
}
