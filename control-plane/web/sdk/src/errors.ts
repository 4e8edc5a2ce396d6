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
  /** The application's `token` function failed; `cause` is what it threw. */
  | "TOKEN_UNAVAILABLE"
  /** The server would not encrypt a channel from end to end that has to be. */
  | "E2EE_DOWNGRADED"
  /** Given up by the caller. */
  | "CANCELLED";

/** Why something did not work: `code` for programs, `message` for developers, `cause` where there is one. */
export class VoiceError extends Error {
  override readonly name = "VoiceError";

  constructor(
    readonly code: ErrorCode | ClientErrorCode,
    message: string,
    readonly details: Record<string, unknown> = {},
    /** The session cannot go on. */
    readonly fatal = false,
    /** What was thrown before, as it was. */
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  static refused({ code, error, details, fatal }: Refusal): VoiceError {
    return new VoiceError(code, error, details, fatal);
  }

  /** Any error as one of these. */
  static from(error: unknown): VoiceError {
    if (error instanceof VoiceError) return error;
    // Not every browser's OverconstrainedError is a DOMException.
    if (error instanceof DOMException || (error instanceof Error && error.name in CAPTURE_CODES)) return fromCapture(error);
    const message = error instanceof Error ? error.message : String(error);
    return new VoiceError("INTERNAL", message, {}, false, { cause: error });
  }

  /** Milliseconds the server asks to wait. */
  get retryAfterMs(): number {
    const value = Number(this.details["retryAfterMs"]);
    return Number.isFinite(value) && value > 0 ? value : 0;
  }

  /** Whether the same may work a moment later. */
  get isTemporary(): boolean {
    return TEMPORARY.includes(this.code);
  }
}

const TEMPORARY: readonly string[] = ["TIMEOUT", "UNREACHABLE", "RATE_LIMITED", "NODE_UNAVAILABLE", "TOKEN_UNAVAILABLE"];

const CAPTURE_CODES: Record<string, ClientErrorCode> = {
  NotAllowedError: "CAPTURE_DENIED",
  SecurityError: "CAPTURE_DENIED",
  NotFoundError: "DEVICE_NOT_FOUND",
  OverconstrainedError: "DEVICE_NOT_FOUND",
  NotReadableError: "DEVICE_IN_USE",
  AbortError: "DEVICE_IN_USE",
};

function fromCapture(error: Error): VoiceError {
  const code = CAPTURE_CODES[error.name];
  const message = code ? error.message : `${error.name}: ${error.message}`;
  return new VoiceError(code ?? "INTERNAL", message, {}, false, { cause: error });
}
