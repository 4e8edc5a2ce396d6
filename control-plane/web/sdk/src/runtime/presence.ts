import { VoiceError } from "../errors";
import type { ChannelPerson } from "../payloads";
import type { Request, ServerEvent, Signaling } from "./signaling";
import { sleep } from "./wait";

/** Who is in a channel that is watched. */
export interface ChannelPeople {
  /** Each user once, longest there first; null while it is not known. */
  people: ChannelPerson[] | null;
  /** Why it is not told; null if it is, or is on its way. */
  error: VoiceError | null;
}

/** Somebody calls the user in a DM; `joinChannel` of it answers. */
export interface Ring {
  channelId: string;
  /** A user's id. */
  from: string;
  name: string | null;
  /** RFC 3339. */
  expiresAt: string;
}

/** A call that rang: to the user, or by the user; then `userId` is whom it rang. */
export interface RingEnd {
  channelId: string;
  userId: string | null;
  reason: "answered" | "declined" | "missed" | "cancelled";
}

export interface PresenceHandlers {
  changed(): void;
  ringing(ring: Ring): void;
  ringEnded(end: RingEnd): void;
}

/** Between two tries at a server that does not answer: doubled each time, up to the second. */
const BACKOFF_MS = [1_000, 30_000] as const;
const RETRY_MS = 2_000;

/**
 * What a user hears outside of a call: who is in channels, and who calls. It has a socket of its own while there is no call,
 * and uses the call's otherwise, so that a device is one session.
 */
export class Presence {
  #channels = new Map<string, ChannelPeople & { watchers: number }>();
  #rings = new Map<string, Ring>();
  #isReachable = false;
  #own: Signaling | null = null;
  #call: Request | null = null;
  /** Moves whenever another socket is to be used; what was begun on an older one gives up. */
  #turn = 0;
  #isConnecting = false;

  constructor(
    private readonly connect: () => Promise<Signaling>,
    private readonly handlers: PresenceHandlers,
  ) {}

  get rings(): Ring[] {
    return [...this.#rings.values()];
  }

  /** Whether calls ring while there is no call and nothing is watched. */
  setReachable(on: boolean): void {
    this.#isReachable = on;
    if (on) this.#keepOwn();
    else if (!this.#isNeeded) this.#closeOwn();
  }

  /** Of a call to the user. One that rings no more needs no declining. */
  async decline(channelId: string): Promise<void> {
    await this.#request?.("voice:ring:decline", { channelId });
  }

  /** Something needs a socket of its own while there is no call. */
  get #isNeeded(): boolean {
    return this.#isReachable || this.#channels.size > 0;
  }

  get #request(): Request | undefined {
    return this.#call ?? this.#own?.request.bind(this.#own);
  }

  get channels(): Record<string, ChannelPeople> {
    return Object.fromEntries([...this.#channels].map(([id, { people, error }]) => [id, { people, error }]));
  }

  /** Until the function that this gives back is called; watchers of one channel count. */
  watch(channelId: string): () => void {
    const known = this.#channels.get(channelId) ?? { watchers: 0, people: null, error: null };
    known.watchers += 1;
    this.#channels.set(channelId, known);
    if (known.watchers === 1) this.#begin(channelId);
    let isWatched = true;
    return () => {
      if (isWatched) this.#unwatch(channelId);
      isWatched = false;
    };
  }

  /** There is a call, and this is how its socket is asked; again after each new socket of it. */
  useCall(request: Request): void {
    this.#turn += 1;
    this.#call = request;
    this.#closeOwn();
    this.#forgetRings();
    for (const channelId of this.#channels.keys()) void this.#ask(request, channelId, this.#turn);
  }

  /** There is no call any more. */
  useOwn(): void {
    if (!this.#call) return;
    this.#turn += 1;
    this.#call = null;
    this.#keepOwn();
  }

  onEvent(event: ServerEvent): void {
    if (event.name === "voice:ringing") {
      const { channelId, from, name = null, expiresAt } = event.payload;
      const ring = { channelId, from, name, expiresAt };
      this.#rings.set(channelId, ring);
      this.handlers.ringing(ring);
      this.handlers.changed();
    } else if (event.name === "voice:ring:ended") {
      const { channelId, userId = null, reason } = event.payload;
      if (userId === null) this.#rings.delete(channelId);
      this.handlers.ringEnded({ channelId, userId, reason });
      this.handlers.changed();
    }
    if (event.name === "voice:channel:people") {
      this.#know(event.payload.channelId, { people: event.payload.people, error: null });
    } else if (event.name === "voice:channel:unwatched") {
      // Unasked, if it is still watched here: the user may no longer join it.
      const error = new VoiceError("CHANNEL_NOT_FOUND", "this channel is closed to the user now");
      this.#know(event.payload.channelId, { people: null, error });
    }
  }

  #begin(channelId: string): void {
    const request = this.#request;
    if (request) void this.#ask(request, channelId, this.#turn);
    else this.#keepOwn();
    this.handlers.changed();
  }

  #unwatch(channelId: string): void {
    const known = this.#channels.get(channelId);
    if (!known || (known.watchers -= 1) > 0) return;
    this.#channels.delete(channelId);
    this.#request?.("voice:channel:unwatch", { channelId }).catch(() => undefined);
    if (!this.#isNeeded) this.#closeOwn();
    this.handlers.changed();
  }

  async #ask(request: Request, channelId: string, turn: number): Promise<void> {
    while (turn === this.#turn && this.#channels.has(channelId)) {
      try {
        const { people } = await request("voice:channel:watch", { channelId });
        if (turn === this.#turn) this.#know(channelId, { people, error: null });
        return;
      } catch (thrown) {
        const error = VoiceError.from(thrown);
        // A socket that is lost is followed by another.
        if (turn !== this.#turn || error.code === "UNREACHABLE") return;
        if (!error.isTemporary) {
          this.#know(channelId, { people: null, error });
          return;
        }
        await sleep(Math.max(RETRY_MS, error.retryAfterMs));
      }
    }
  }

  #know(channelId: string, now: ChannelPeople): void {
    const known = this.#channels.get(channelId);
    if (!known) return;
    Object.assign(known, now);
    this.handlers.changed();
  }

  /** Connects, and again whenever the socket is lost, for as long as something is watched. */
  #keepOwn(): void {
    if (this.#isConnecting || this.#own || this.#call || !this.#isNeeded) return;
    this.#isConnecting = true;
    void this.#connectOwn(this.#turn).finally(() => {
      this.#isConnecting = false;
      // Something else was wanted meanwhile.
      if (!this.#own) this.#keepOwnLater();
    });
  }

  #keepOwnLater(): void {
    const isWanted = [...this.#channels.values()].some(({ error }) => error === null);
    if (isWanted) this.#keepOwn();
  }

  async #connectOwn(turn: number): Promise<void> {
    for (let tried = 0; turn === this.#turn && this.#isNeeded; tried += 1) {
      try {
        const socket = await this.connect();
        if (turn === this.#turn && this.#isNeeded) this.#adopt(socket);
        else socket.close();
        return;
      } catch (thrown) {
        const error = VoiceError.from(thrown);
        if (!error.isTemporary || error.fatal || error.code === "TOKEN_UNAVAILABLE") {
          for (const channelId of this.#channels.keys()) this.#know(channelId, { people: null, error });
          return;
        }
        const [first, most] = BACKOFF_MS;
        await sleep(Math.min(most, first * 2 ** tried) * (0.5 + Math.random() / 2));
      }
    }
  }

  #adopt(socket: Signaling): void {
    this.#own = socket;
    socket.listen((event) => this.onEvent(event));
    socket.onLost(() => {
      if (this.#own !== socket) return;
      this.#own = null;
      this.#turn += 1;
      this.#forgetRings();
      // What is known stays on show; others may come back at the same moment.
      void sleep(BACKOFF_MS[0] * Math.random()).then(() => this.#keepOwn());
    });
    for (const channelId of this.#channels.keys()) {
      void this.#ask(socket.request.bind(socket), channelId, this.#turn);
    }
  }

  /** A new socket is told of what rings then. */
  #forgetRings(): void {
    if (this.#rings.size === 0) return;
    this.#rings.clear();
    this.handlers.changed();
  }

  #closeOwn(): void {
    const socket = this.#own;
    this.#own = null;
    this.#forgetRings();
    socket?.close();
  }
}
