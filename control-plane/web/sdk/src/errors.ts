import type { ErrorCode, Refusal } from "./payloads";

/** Reasons of the client's own, beside the server's. */
export type ClientErrorCode =
  /** No answer in the contract's time. */
  | "TIMEOUT"
  /** The server cannot be reached, or the connection broke. */
  | "UNREACHABLE"
  /** The user or the system did not allow the device. */
  | "CAPTURE_DENIED"
  | "DEVICE_NOT_FOUND"
  | "DEVICE_IN_USE"
  /** The browser gives no devices to this page: it needs HTTPS, or this machine. */
  | "CAPTURE_UNAVAILABLE"
  /** The browser lacks what a call needs. */
  | "UNSUPPORTED_BROWSER"
  /** Given up by the caller. */
  | "CANCELLED";

/** Why something did not work: `code` for programs, `message` for developers. */
export class VoiceError extends Error {
  override readonly name = "VoiceError";

  constructor(
    readonly code: ErrorCode | ClientErrorCode,
    message: string,
    readonly details: Record<string, unknown> = {},
    /** The session cannot go on. */
    readonly fatal = false,
  ) {
    super(message);
  }

  static refused({ code, error, details, fatal }: Refusal): VoiceError {
    return new VoiceError(code, error, details, fatal);
  }

  /** Any error as one of these. */
  static from(error: unknown): VoiceError {
    if (error instanceof VoiceError) return error;
    if (error instanceof DOMException) return fromCapture(error);
    return new VoiceError("INTERNAL", error instanceof Error ? error.message : String(error));
  }

  /** Milliseconds the server asks to wait. */
  get retryAfterMs(): number {
    const value = Number(this.details["retryAfterMs"]);
    return Number.isFinite(value) && value > 0 ? value : 0;
  }

  /** Whether the same may work a moment later. */
  get isTemporary(): boolean {
    return ["TIMEOUT", "UNREACHABLE", "RATE_LIMITED", "NODE_UNAVAILABLE"].includes(this.code);
  }
}

function fromCapture(error: DOMException): VoiceError {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new VoiceError("CAPTURE_DENIED", error.message);
    case "NotFoundError":
    case "OverconstrainedError":
      return new VoiceError("DEVICE_NOT_FOUND", error.message);
    case "NotReadableError":
    case "AbortError":
      return new VoiceError("DEVICE_IN_USE", error.message);
    default:
      return new VoiceError("INTERNAL", `${error.name}: ${error.message}`);
  }
}
