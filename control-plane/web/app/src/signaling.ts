import { io, type Socket } from "socket.io-client";
import type { Refusal, Requests, ServerEvents } from "./wire";

/** Milliseconds a request may take; the contract's table, 5 s where it names none. */
const TIMEOUTS: Partial<Record<keyof Requests, number>> = {
  "voice:join": 10_000,
  "voice:rtc:connectTransport": 10_000,
};
const TIMEOUT_DEFAULT = 5_000;
const CONNECT_TIMEOUT = 10_000;

/** The server answered a request with an error. */
export class RequestRefused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.error);
  }
}

/** The server could not be reached, or did not answer in time. */
export class NoAnswer extends Error {}

/** One authenticated socket: requests with their replies, and the server's events. */
export class Signaling {
  #socket: Socket;
  #nextRequest = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects with a token. A refused token is a `RequestRefused`, an absent server a `NoAnswer`. */
  static connect(token: string): Promise<Signaling> {
    // Every connection is a new session, so the call decides when to try again.
    const socket = io({
      auth: { token },
      reconnection: false,
      timeout: CONNECT_TIMEOUT,
      transports: ["websocket"],
    });
    return new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(new Signaling(socket)));
      socket.once("connect_error", (error) => {
        socket.disconnect();
        const code = error.message;
        const refused = code === "UNAUTHORIZED" || code === "TOKEN_EXPIRED";
        reject(
          refused ? new RequestRefused({ code, error: code }) : new NoAnswer("the server cannot be reached"),
        );
      });
    });
  }

  /** Sends a request and waits for the reply that carries its id. */
  request<Name extends keyof Requests>(
    name: Name,
    payload: Requests[Name]["payload"],
  ): Promise<Requests[Name]["reply"]> {
    const requestId = String(this.#nextRequest++);
    return new Promise((resolve, reject) => {
      this.#socket
        .timeout(TIMEOUTS[name] ?? TIMEOUT_DEFAULT)
        .emit(name, { ...payload, requestId }, (error: Error | null, reply: { ok: boolean }) => {
          if (error) reject(new NoAnswer(`${name} was not answered in time`));
          else if (reply.ok) resolve(reply as unknown as Requests[Name]["reply"]);
          else reject(new RequestRefused(reply as unknown as Refusal));
        });
    });
  }

  on<Name extends keyof ServerEvents>(name: Name, handler: (event: ServerEvents[Name]) => void): void {
    // The map above is the contract; socket.io's own typing cannot express it per event.
    this.#socket.on(name as string, handler as (event: unknown) => void);
  }

  onLost(handler: () => void): void {
    this.#socket.on("disconnect", handler);
  }

  close(): void {
    this.#socket.off();
    this.#socket.disconnect();
  }
}
