import { TIMEOUTS, waitBefore } from "../contract";
import { VoiceError } from "../errors";

/** Of the media of a call, both ways together. */
export type MediaState =
  /** Nothing is sent or received yet. */
  | "idle"
  /** ICE and DTLS are under way, for the first time or over a new transport. */
  | "connecting"
  | "connected"
  /** A path that stood is gone, and is looked for again. */
  | "interrupted";

/** `waiting`: for the next transport, or for a socket to ask for it. */
type Phase = "idle" | "connecting" | "connected" | "disconnected" | "restarting" | "waiting";

export interface PathHandlers {
  /** New ICE credentials; resolves when they are in use. */
  restartIce(): Promise<void>;
  /** Another transport in place of this one. */
  renew(): Promise<void>;
  /** The server does not replace the transport: another session is needed. */
  rejoin(): void;
  changed(): void;
  /** The last try failed. */
  failed(error: VoiceError): void;
}

/** A path that does not come back by itself gets new ICE credentials after this long, in milliseconds. */
export const DISCONNECTED_MS = 3_000;
/** Before a server that cannot make a transport just now is asked again, in milliseconds. */
const NODE_AWAY_MS = 2_000;
/** Refusals that say: the server does not have this transport any more. */
const TRANSPORT_GONE = ["TRANSPORT_FAILED", "NOT_FOUND", "INVALID_STATE"];

/**
 * Watches one transport from the moment it begins to connect: `TIMEOUTS.connectTransport` for ICE and DTLS
 * together, then `RETRIES.dtls` new transports, then the call is over. A path that stood and was lost gets an
 * ICE restart first. Whether a try worked is decided by what happens during its wait: `connected` ends it at
 * once, a new `failed` as well, and what is not connected at its end has failed, whatever it is called then.
 */
export class PathWatch {
  #phase: Phase = "idle";
  #stood = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Moves with every phase; an answer to an older one's request does not count. */
  #step = 0;
  /** What could not be asked for without a socket. */
  #owed: "restart" | "renew" | null = null;
  /** The new credentials are in use: what fails from here on is the restarted path. */
  #isRestarted = false;
  /**
   * Another transport was asked for, and what went over this one is closed: until the next one begins, whether this
   * one connects no longer counts.
   */
  #isGivenUp = false;

  constructor(private readonly handlers: PathHandlers) {}

  get state(): MediaState {
    if (this.#phase === "idle" || this.#phase === "connected") return this.#phase;
    return this.#stood ? "interrupted" : "connecting";
  }

  /** The transport begins to connect: its parameters are on their way to the server. */
  begins(): void {
    if (this.#phase === "connected" || this.#phase === "connecting") return;
    this.#isGivenUp = false;
    this.#enter("connecting", TIMEOUTS.connectTransport, () => this.#fail());
  }

  /** `RTCPeerConnection.connectionState`, which is ICE and DTLS together. */
  moved(state: string): void {
    if (this.#isGivenUp) return;
    switch (state) {
      case "connected":
        this.#failures = 0;
        this.#stood = true;
        this.#enter("connected");
        break;
      case "disconnected":
        if (this.#phase === "connected") this.#enter("disconnected", DISCONNECTED_MS, () => this.#restart());
        break;
      case "failed":
        if (this.#phase === "connecting") this.#fail();
        else if (this.#phase === "connected" || this.#phase === "disconnected") this.#restart();
        else if (this.#phase === "restarting" && this.#isRestarted) this.#fail();
        break;
    }
  }

  /** The server says that the handshake failed, or that the transport is over. */
  failedAtServer(): void {
    if (this.#phase !== "idle" && this.#phase !== "waiting") this.#fail();
  }

  /** A socket is there again: what could not be asked for is asked for. */
  socketIsBack(): void {
    const owed = this.#owed;
    this.#owed = null;
    if (owed === "restart") this.#restart();
    if (owed === "renew") this.#renew();
  }

  /** The transport is gone. Failures are counted on, since the next one may go the same way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#step += 1;
    this.#phase = "idle";
    this.#owed = null;
    this.#stood = false;
  }

  /** Another call, or another node: all tries again. */
  forgive(): void {
    this.#failures = 0;
  }

  #enter(phase: Phase, ms?: number, then?: () => void): number {
    clearTimeout(this.#timer);
    this.#step += 1;
    this.#phase = phase;
    this.#owed = null;
    this.#isRestarted = false;
    if (ms !== undefined && then) this.#timer = setTimeout(then, ms);
    this.handlers.changed();
    return this.#step;
  }

  #restart(): void {
    const step = this.#enter("restarting", TIMEOUTS.connectTransport, () => this.#fail());
    this.handlers.restartIce().then(
      () => {
        if (this.#step === step) this.#isRestarted = true;
      },
      (thrown: unknown) => {
        if (this.#step !== step) return;
        const { code } = VoiceError.from(thrown);
        if (code === "UNREACHABLE") this.#wait("restart");
        else if (TRANSPORT_GONE.includes(code)) this.#fail();
      },
    );
  }

  #fail(): void {
    const wait = waitBefore("dtls", (this.#failures += 1));
    if (wait !== null) {
      this.#enter("waiting", wait, () => this.#renew());
      return;
    }
    this.stop();
    this.handlers.failed(
      new VoiceError("TRANSPORT_FAILED", "sound and video cannot get through", {}, true),
    );
  }

  #renew(): void {
    // It stays in this phase until the new transport begins to connect, or is not needed.
    const step = this.#enter("waiting");
    this.#isGivenUp = true;
    const again = () => this.#renew();
    this.handlers.renew().then(
      () => {
        if (this.#step === step) this.#enter("idle");
      },
      (thrown: unknown) => {
        if (this.#step !== step) return;
        const error = VoiceError.from(thrown);
        const { code } = error;
        if (code === "CANCELLED") return;
        if (code === "UNREACHABLE") this.#wait("renew");
        else if (TRANSPORT_GONE.includes(code)) this.handlers.rejoin();
        // A node that is away for a moment says nothing about the path to it.
        else if (error.isTemporary) this.#enter("waiting", Math.max(NODE_AWAY_MS, error.retryAfterMs), again);
        else this.#fail();
      },
    );
  }

  /** Without a socket there is nothing to do but wait for one. */
  #wait(owed: "restart" | "renew"): void {
    clearTimeout(this.#timer);
    this.#owed = owed;
  }
}

/** What is shown of both ways: the worse one of those that are used. */
export function worseOf(states: readonly MediaState[]): MediaState {
  const order: readonly MediaState[] = ["interrupted", "connecting", "connected", "idle"];
  return order.find((state) => states.includes(state)) ?? "idle";
}
