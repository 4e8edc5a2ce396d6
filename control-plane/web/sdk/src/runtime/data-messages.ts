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
  /** What is sent in place of it. */
  seal(message: { kind: string; payload: string; to: string }): Promise<{ kind: string; payload: string }>;
  /** Null: it is of nobody whose key is known, or not for this client, and is not told. */
  open(payload: string, sessionId: string): Promise<{ kind: string; payload: string } | null>;
}

/** Messages that wait to be opened: 8 s of what 25 people may send. */
const WAITING_MAX = 1_000;

/** Messages of up to 1 KiB, five a second a user; the server says whose they are. */
export class DataMessages {
  /** Opened in the order in which they came. */
  #opened: Promise<void> = Promise.resolve();
  /** Messages that wait to be opened. */
  waiting = 0;

  constructor(
    private readonly request: Request,
    private readonly received: (data: DataReceived) => void,
    /** In a call that is encrypted end to end: nothing is said, or believed, in clear. */
    private readonly cipher: () => DataCipher | null,
  ) {}

  async send(kind: string, payload: string, to?: string): Promise<void> {
    const sent = (await this.cipher()?.seal({ kind, payload, to: to ?? "" })) ?? { kind, payload };
    await this.request("voice:data", { ...sent, ...(to !== undefined && { to }) });
  }

  onEvent(event: ServerEvent): void {
    if (event.name !== "voice:data") return;
    const { sessionId, userId, kind, payload } = event.payload;
    const cipher = this.cipher();
    if (!cipher) {
      this.received({ sessionId, userId, kind, payload });
      return;
    }
    if (this.waiting >= WAITING_MAX) return;
    this.waiting += 1;
    this.#opened = this.#opened.then(async () => {
      const opened = await cipher.open(payload, sessionId).catch(() => null);
      this.waiting -= 1;
      // Nothing is told of a call that is over.
      if (opened && this.cipher() === cipher) this.received({ sessionId, userId, kind: opened.kind, payload: opened.payload });
    });
  }
}
