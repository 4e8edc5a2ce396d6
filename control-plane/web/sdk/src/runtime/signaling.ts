import { io, type Socket } from "socket.io-client";
import { TIMEOUTS } from "../contract";
import { VoiceError } from "../errors";
import { ERROR_CODES } from "../generated";
import type { Refusal, Requests, Resumed, ServerEvents } from "../payloads";

const REQUEST_TIMEOUTS: Partial<Record<keyof Requests, number>> = {
  "voice:join": TIMEOUTS.join,
  "voice:rtc:getRouterRtpCapabilities": TIMEOUTS.capabilities,
  "voice:rtc:createTransport": TIMEOUTS.createTransport,
  "voice:rtc:connectTransport": TIMEOUTS.connectTransport,
  "voice:rtc:produce": TIMEOUTS.produce,
};
const REQUEST_TIMEOUT = 5_000;
const CONNECT_TIMEOUT = 10_000;

export interface ConnectOptions {
  /** Of the server; absent: the page's own origin. */
  url: string | undefined;
  token: string;
  deviceId: string;
  /** To take up a session whose socket was lost. */
  resume?: string;
}

export type ServerEvent = {
  [Name in keyof ServerEvents]: { name: Name; payload: ServerEvents[Name] };
}[keyof ServerEvents];

/** One authenticated socket: requests with their replies, and the server's events in their order. */
export class Signaling {
  #socket: Socket;
  /** Events that came before somebody listened. */
  #early: ServerEvent[] = [];
  #onEvent: ((event: ServerEvent) => void) | null = null;
  #onLost: () => void = () => undefined;
  /** Ends of the requests in flight; a lost socket answers none of them. */
  #inFlight = new Set<(error: VoiceError) => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.onAny((name: string, payload: unknown) => {
      const event = { name, payload } as ServerEvent;
      if (this.#onEvent) this.#onEvent(event);
      else this.#early.push(event);
    });
    socket.on("disconnect", () => {
      this.#failInFlight();
      this.#onLost();
    });
  }

  /** Fails with `UNAUTHORIZED`, `TOKEN_EXPIRED` or `UNREACHABLE`. */
  static connect({ url, token, deviceId, resume }: ConnectOptions): Promise<Signaling> {
    const options = {
      auth: { token, deviceId, ...(resume && { resume }) },
      // When to try again, and as what, is the connection's decision.
      reconnection: false,
      forceNew: true,
      timeout: CONNECT_TIMEOUT,
      transports: ["websocket"],
    };
    const socket = url === undefined ? io(options) : io(url, options);
    const signaling = new Signaling(socket);
    return new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(signaling));
      socket.once("connect_error", ({ message }) => {
        socket.disconnect();
        const refused = ERROR_CODES.find((code) => code === message);
        reject(
          refused
            ? new VoiceError(refused, "the server refused the connection", {}, isFatal(refused))
            : new VoiceError("UNREACHABLE", message),
        );
      });
    });
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  /** Fails with the server's code, `TIMEOUT`, or `UNREACHABLE` when the socket is lost meanwhile. */
  request<Name extends keyof Requests>(
    name: Name,
    payload: Requests[Name]["payload"],
  ): Promise<Requests[Name]["reply"]> {
    return new Promise((resolve, reject) => {
      if (!this.#socket.connected) {
        reject(new VoiceError("UNREACHABLE", `${name}: the socket is closed`));
        return;
      }
      this.#inFlight.add(reject);
      this.#socket
        .timeout(REQUEST_TIMEOUTS[name] ?? REQUEST_TIMEOUT)
        .emit(name, payload, (error: Error | null, reply: { ok: boolean }) => {
          this.#inFlight.delete(reject);
          if (error) reject(new VoiceError("TIMEOUT", `${name} was not answered in time`));
          else if (reply.ok) resolve(reply as unknown as Requests[Name]["reply"]);
          else reject(VoiceError.refused(reply as unknown as Refusal));
        });
    });
  }

  /** The server's answer to `resume`: the session as it is, or null when it is gone. Fails with any other refusal. */
  async resumed(): Promise<Resumed | null> {
    const isAnswer = ({ name }: ServerEvent) => name === "voice:resumed" || name === "voice:error";
    for (let waited = 0; waited < TIMEOUTS.join; waited += 20) {
      const index = this.#early.findIndex(isAnswer);
      const [answer] = index === -1 ? [] : this.#early.splice(index, 1);
      if (answer?.name === "voice:resumed") return answer.payload;
      if (answer?.name === "voice:error") {
        if (answer.payload.code === "RESUME_FAILED") return null;
        throw VoiceError.refused(answer.payload);
      }
      if (!this.#socket.connected) throw new VoiceError("UNREACHABLE", "the connection was lost");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new VoiceError("TIMEOUT", "the resume was not answered in time");
  }

  /** Hands over every event from now on, and those that were waiting. */
  listen(onEvent: (event: ServerEvent) => void): void {
    this.#onEvent = onEvent;
    for (const event of this.#early.splice(0)) onEvent(event);
  }

  onLost(handler: () => void): void {
    this.#onLost = handler;
  }

  close(): void {
    this.#onLost = () => undefined;
    this.#socket.offAny();
    this.#socket.off();
    this.#socket.disconnect();
    this.#failInFlight();
  }

  #failInFlight(): void {
    for (const reject of this.#inFlight) reject(new VoiceError("UNREACHABLE", "the connection was lost"));
    this.#inFlight.clear();
  }
}

/** Refusals of a connection that only another token can help; they come as a word alone. */
function isFatal(code: string): boolean {
  return code === "UNAUTHORIZED" || code === "TOKEN_EXPIRED";
}

/** How a part of the client asks the server, whichever socket there is. */
export type Request = Signaling["request"];
