import { VoiceError } from "../errors";
import type { Request, ServerEvent } from "./signaling";

/** A small message of somebody in the call, as its application sent it. */
export interface DataReceived {
  sessionId: string;
  userId: string;
  /** What it is about, as applications call it. */
  kind: string;
  payload: string;
}

/** What stands between an application and the servers in a channel that is encrypted end to end. */
export interface DataCipher {
  seal(payload: string): Promise<string>;
  /** Null: it is of nobody whose key is known, and is not told. */
  open(payload: string, sessionId: string): Promise<string | null>;
}

/** Messages of up to 1 KiB, five a second a user; the server says whose they are. */
export class DataMessages {
  cipher: DataCipher | null = null;
  /** Opened in the order in which they came. */
  #opened: Promise<void> = Promise.resolve();

  constructor(
    private readonly request: Request,
    private readonly received: (data: DataReceived) => void,
    /** The call is encrypted end to end: nothing is said, or believed, in clear. */
    private readonly isEncrypted: () => boolean,
  ) {}

  async send(kind: string, payload: string, to?: string): Promise<void> {
    if (!this.cipher && this.isEncrypted()) {
      throw new VoiceError("INVALID_STATE", "messages cannot be encrypted end to end yet, and are not sent in clear");
    }
    const sealed = this.cipher ? await this.cipher.seal(payload) : payload;
    await this.request("voice:data", { kind, payload: sealed, ...(to !== undefined && { to }) });
  }

  onEvent(event: ServerEvent): void {
    if (event.name !== "voice:data") return;
    const { sessionId, userId, kind, payload } = event.payload;
    const { cipher } = this;
    if (!cipher && this.isEncrypted()) return;
    if (!cipher) {
      this.received({ sessionId, userId, kind, payload });
      return;
    }
    this.#opened = this.#opened.then(async () => {
      const opened = await cipher.open(payload, sessionId).catch(() => null);
      if (opened !== null) this.received({ sessionId, userId, kind, payload: opened });
    });
  }
}
