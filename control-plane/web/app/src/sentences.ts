/** What the user is told, in plain sentences. */
import { CaptureUnavailable } from "./capture";
import type { EndReason } from "./session";
import { NoAnswer, RequestRefused } from "./signaling";
import { NoToken } from "./token";
import type { Refusal, Source } from "./wire";

const DEVICE: Record<Source, string> = { mic: "microphone", camera: "camera", screen: "screen" };

export const NEEDS_PRO: Record<Source, string> = {
  mic: "You may not speak in this channel.",
  camera: "Your camera needs Pro. You can go on talking.",
  screen: "Sharing your screen needs Pro. You can go on talking.",
};

/** Why joining, or a request during the call, did not work. */
export function describe(error: unknown): string {
  if (error instanceof RequestRefused) return describeRefusal(error.refusal);
  if (error instanceof NoAnswer) return "The server does not answer. Check your connection and try again.";
  if (error instanceof NoToken) return error.message;
  return "Something went wrong in the browser. Reload the page and try again.";
}

/** Why a microphone, camera or screen could not be opened. */
export function describeCapture(source: Source, error: unknown): string {
  const device = DEVICE[source];
  if (error instanceof CaptureUnavailable) {
    return `The browser gives no ${device} to this page. Open it over HTTPS or on this machine.`;
  }
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
      return `The browser did not allow the ${device}. Allow it for this page and try again.`;
    case "NotFoundError":
      return `No ${device} was found on this device.`;
    case "NotReadableError":
      return `The ${device} is in use by another program.`;
    default:
      return `The ${device} could not be opened.`;
  }
}

export function describeEnd(reason: Exclude<EndReason, { kind: "rejoin" }>): string {
  switch (reason.kind) {
    case "lost":
      return "The connection to the server was lost.";
    case "failed":
      return "The connection for sound and video was lost.";
    case "kicked":
      return reason.reason === "replaced"
        ? "You joined from another place, so the call ended here."
        : "You were removed from the call.";
  }
}

function describeRefusal({ code, details }: Refusal): string {
  switch (code) {
    case "CAPABILITY_REQUIRED":
      return details?.["capability"] === "SCREEN_SHARE" ? NEEDS_PRO.screen : NEEDS_PRO.camera;
    case "VIDEO_LIMIT_REACHED":
      return `All ${count(details, "max")}video places in this channel are taken. Try again when one is free.`;
    case "CHANNEL_FULL":
      return "This channel is full. Try again when somebody has left.";
    case "CHANNEL_NOT_FOUND":
      return "There is no such channel.";
    case "PERMISSION_DENIED":
      return "You are not allowed to do that in this channel.";
    case "RATE_LIMITED": {
      const wait = Number(details?.["retryAfterMs"]);
      return wait > 0
        ? `That was too fast. Try again in ${Math.ceil(wait / 1000)} seconds.`
        : "That was too fast. Wait a moment and try again.";
    }
    case "UNAUTHORIZED":
      return "The server did not accept who you are. Ask for a new token.";
    case "TOKEN_EXPIRED":
      return "Your token has expired. Ask for a new one.";
    case "NODE_UNAVAILABLE":
      return "No media server is free right now. Try again in a moment.";
    case "TRANSPORT_FAILED":
      return "The connection for sound and video could not be set up.";
    case "UNSUPPORTED_CODEC":
      return "Your browser cannot play what this person sends.";
    case "INVALID_PAYLOAD":
      return "The server could not read that. Use a shorter name made of plain letters and digits.";
    default:
      return "The server could not do that. Try again.";
  }
}

function count(details: Refusal["details"], field: string): string {
  const value = details?.[field];
  return typeof value === "number" ? `${value} ` : "";
}
