import { VoiceError } from "../errors";
import type { Sent, StateMachine } from "../state-machine";
import { isInCall } from "../state-machine";
import type { Joined, Resumed, RtcConfig } from "../payloads";
import type { Encryption } from "../e2ee/encryption";
import { resumeDue, spreadWaitBefore } from "./backoff";
import { type Direction, Media, prepareDevice } from "./media";
import { networkType } from "./network-type";
import { type MediaState, PathWatch, worseOf } from "./path-watch";
import { type Request, type ServerEvent, Signaling } from "./signaling";
import { sleep } from "./wait";

export interface ConnectionOptions {
  url: string | undefined;
  deviceId: string;
  /** A fresh token; asked for at every connection. */
  token(): Promise<string>;
}

export interface ConnectionHandlers {
  /** What a join says of encryption. Fails with `CAPABILITY_REQUIRED` where it has to be and cannot. */
  offer?(): Promise<{ version: number; suites: number[] } | null>;
  /** Before anything is sent. Fails with `E2EE_DOWNGRADED`. Null: frames are not encrypted from end to end. */
  admitted?(answer: Joined["encryption"] | undefined): Promise<Encryption | null>;
  /** Before the media: who is there. */
  joined(joined: Joined): void;
  /** Both transports exist. */
  opened(media: Media): Promise<void>;
  /** The same session on a new socket, its media untouched. */
  resumed(resumed: Resumed): Promise<void>;
  /** The room is gone; another one is on its way. */
  interrupted(): void;
  /** A transport that does not connect is given up: what went over it is gone. */
  renewing(direction: Direction): void;
  /** Another one took its place. */
  renewed(media: Media, direction: Direction): void;
  /** How the media gets through. */
  mediaState(state: MediaState): void;
  event(event: ServerEvent): void;
  /** The call is over, though nobody left. */
  ended(error: VoiceError): void;
  sent(): Sent;
}

/** Who has to wait longer than this before the next try is told so instead. */
const PATIENCE_MS = 10_000;
/** Another replica may have the way to the media node that this socket's replica has not. */
const UNAVAILABLE_MAX = 2;
const HOUR_MS = 3_600_000;

/** Gets into a room and stays there: joins, resumes, joins again, with the contract's waits. */
export class Connection {
  #signaling: Signaling | null = null;
  #media: Media | null = null;
  #channelId: string | null = null;
  #resumeToken: string | null = null;
  /** That the socket was opened with last. */
  token = "";
  /** Moves with every stay; what was begun for an older one gives up. */
  #stay = 0;
  readonly #paths: Record<Direction, PathWatch> = { send: this.#watch("send"), recv: this.#watch("recv") };
  #mediaState: MediaState = "idle";
  #turnTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly state: StateMachine,
    private readonly handlers: ConnectionHandlers,
  ) {}

  /** Asks over the socket there is. */
  readonly request: Request = (name, payload) => {
    const signaling = this.#signaling;
    if (signaling) return signaling.request(name, payload).catch((error: unknown) => this.#refused(signaling, error));
    return Promise.reject(new VoiceError("UNREACHABLE", `${name}: there is no connection`));
  };

  /** A fatal refusal ends the call, whatever was asked; while joining that is the join's own end. */
  #refused(signaling: Signaling, error: unknown): never {
    if (error instanceof VoiceError && error.fatal && this.#signaling === signaling && isInCall(this.state.state))
      this.end(error);
    throw error;
  }

  get mediaState(): MediaState {
    return this.#mediaState;
  }

  get media(): Media | null {
    return this.#media;
  }

  async join(channelId: string): Promise<void> {
    if (!this.state.apply("join")) throw new VoiceError("INVALID_STATE", "there is a call already");
    this.#channelId = channelId;
    for (const path of Object.values(this.#paths)) path.forgive();
    await this.#enterWithRetries(++this.#stay);
  }

  async leave(): Promise<void> {
    if (!this.state.apply("leave")) return;
    this.#stay += 1;
    const signaling = this.#signaling;
    this.#closeMedia();
    // The call is over for the user either way; closing the socket cleans up as well.
    await signaling?.request("voice:leave", {}).catch(() => undefined);
    this.#closeSignaling();
    this.#channelId = this.#resumeToken = null;
    this.state.apply("left");
  }

  /** Ends the call from outside: kicked, for example. */
  end(error: VoiceError): void {
    this.#stay += 1;
    this.#closeMedia();
    this.#closeSignaling();
    this.#channelId = this.#resumeToken = null;
    if (this.state.apply("ended")) this.handlers.ended(error);
  }

  /** Join the same channel again as a new session. */
  async rejoin(delayMs: number): Promise<void> {
    if (!this.state.apply("rejoin")) return;
    const stay = ++this.#stay;
    this.#closeMedia();
    this.handlers.interrupted();
    await sleep(delayMs);
    if (this.#stay !== stay) return;
    this.state.apply("join");
    await this.#enterWithRetries(stay, "socket").catch((error: unknown) => this.#giveUp(stay, error));
  }

  async #enterWithRetries(stay: number, failure: "join" | "socket" = "join"): Promise<void> {
    let unavailable = 0;
    for (let tried = 1; ; tried += 1) {
      try {
        await this.#enter(stay);
        return;
      } catch (thrown) {
        const error = VoiceError.from(thrown);
        if (this.#stay !== stay) throw new VoiceError("CANCELLED", "the call was left meanwhile");
        this.#closeMedia();
        // A first join without a token is the application's matter; on the way back its server may be as far as ours.
        const isTokens = failure === "join" && error.code === "TOKEN_UNAVAILABLE";
        const mayTry = error.isTemporary && !error.fatal && !isTokens && error.retryAfterMs <= PATIENCE_MS;
        const wait = mayTry ? spreadWaitBefore(failure, tried, error.retryAfterMs) : null;
        if (wait === null) {
          this.#closeSignaling();
          this.state.apply("failed");
          throw error;
        }
        // Whatever half of a session there is must not be in the way of the next try.
        if (error.code === "NODE_UNAVAILABLE") unavailable += 1;
        const keepsSocket = error.code === "RATE_LIMITED" || error.code === "NODE_UNAVAILABLE";
        if (!keepsSocket || unavailable >= UNAVAILABLE_MAX) this.#closeSignaling();
        await sleep(wait);
        if (this.#stay !== stay) throw new VoiceError("CANCELLED", "the call was left meanwhile");
        if (this.state.state !== "JOINING") {
          this.state.apply("failed");
          this.state.apply("join");
        }
      }
    }
  }

  /** One try. */
  async #enter(stay: number): Promise<void> {
    const mine = <T>(value: T): T => {
      if (this.#stay !== stay) throw new VoiceError("CANCELLED", "the call was left meanwhile");
      return value;
    };
    const device = prepareDevice();
    const network = networkType();
    if (!this.#signaling?.connected) this.#adopt(mine(await this.#connect()));
    const channelId = this.#channelId ?? "";
    const e2ee = mine(await this.handlers.offer?.());
    const join = { channelId, networkType: await network, ...(e2ee && { e2ee }) };
    const joined = mine(await this.request("voice:join", join));
    const admitted = this.handlers.admitted?.(joined.encryption);
    // Nothing less is asked for a transport before it is known whether it will do; what is better loads meanwhile.
    if (joined.encryption !== "endToEnd") mine(await admitted);
    this.#resumeToken = joined.resumeToken ?? null;
    this.state.apply("joined");
    const entering = async () => {
      mine(await admitted);
      this.handlers.joined(joined);
      this.#signaling?.listen((event) => this.#onEvent(event));
      this.#renewTurn(stay, joined);
    };
    await Promise.all([entering(), this.#openMedia(stay, joined.rtcConfig, device, admitted)]);
  }

  async #openMedia(
    stay: number,
    rtcConfig: RtcConfig,
    device: ReturnType<typeof prepareDevice>,
    admitted?: Promise<Encryption | null>,
  ): Promise<void> {
    const handlers = {
      capabilities: () => this.state.apply("capabilities"),
      connecting: (direction: Direction) => this.#stay === stay && this.#paths[direction].begins(),
      connection: (direction: Direction, state: string) => this.#stay === stay && this.#paths[direction].moved(state),
    };
    const media = await Media.open(this.request, rtcConfig, device, handlers, admitted);
    if (this.#stay !== stay) {
      media.close();
      throw new VoiceError("CANCELLED", "the call was left meanwhile");
    }
    this.#media = media;
    this.state.apply("transportsCreated");
    await this.handlers.opened(media);
  }

  /** A socket of its own, for what is asked outside of a call. */
  connect(): Promise<Signaling> {
    return this.#connect();
  }

  async #connect(resume?: string): Promise<Signaling> {
    const { url, deviceId } = this.options;
    const token = await this.options.token().catch((cause: unknown) => {
      throw new VoiceError("TOKEN_UNAVAILABLE", "the application gave no token", {}, false, { cause });
    });
    this.token = token;
    return Signaling.connect({ url, token, deviceId, ...(resume && { resume }) });
  }

  #adopt(signaling: Signaling): void {
    this.#signaling = signaling;
    signaling.onLost(() => void this.#onLost(signaling));
  }

  #onEvent(event: ServerEvent): void {
    if (event.name === "voice:rejoin") {
      for (const path of Object.values(this.#paths)) path.forgive();
      void this.rejoin(event.payload.retryAfterMs);
    } else if (event.name === "voice:resumed") {
      // The server itself lost sight of the room for a while, and tells how everything stands.
      this.#resumeToken = event.payload.resumeToken ?? null;
      void this.handlers.resumed(event.payload);
    } else {
      if (event.name === "voice:rtc:transportState" && event.payload.dtls === "failed") {
        const { transportId } = event.payload;
        const direction = (["send", "recv"] as const).find((it) => this.#media?.[it].id === transportId);
        if (direction) this.#paths[direction].failedAtServer();
      }
      this.handlers.event(event);
    }
  }

  async #onLost(signaling: Signaling): Promise<void> {
    if (this.#signaling !== signaling) return;
    this.#signaling = null;
    // While joining, the request in flight has failed and is tried again where it was made.
    if (!isInCall(this.state.state) || !this.state.apply("socketLost")) return;
    const stay = this.#stay;
    await this.#resume(stay).catch((error: unknown) => this.#giveUp(stay, error));
  }

  /** Gets a socket again, and the session with it where the server still has it. */
  async #resume(stay: number): Promise<void> {
    const lostAt = Date.now();
    for (let tried = 0; ; tried += 1) {
      const due = resumeDue(tried);
      if (due === null) throw new VoiceError("UNREACHABLE", "the connection was lost");
      await sleep(Math.max(0, lostAt + due - Date.now()));
      if (this.#stay !== stay) return;
      try {
        await this.#resumeOnce(stay);
        return;
      } catch (thrown) {
        const error = VoiceError.from(thrown);
        if (this.#stay !== stay) return;
        this.#closeSignaling();
        if (!error.isTemporary || error.fatal || resumeDue(tried + 1) === null) throw error;
      }
    }
  }

  async #resumeOnce(stay: number): Promise<void> {
    const token = this.#resumeToken;
    const signaling = await this.#connect(token ?? undefined);
    if (this.#stay !== stay) {
      signaling.close();
      return;
    }
    this.#adopt(signaling);
    const resumed = token === null ? null : await signaling.resumed();
    if (this.#stay !== stay) return;
    if (!resumed) {
      this.#resumeToken = null;
      this.state.apply("resumeFailed");
      this.#closeMedia();
      this.handlers.interrupted();
      await this.#enterWithRetries(stay, "socket");
      return;
    }
    this.#resumeToken = resumed.resumeToken ?? null;
    // The state first, then what happened after it.
    const taken = this.handlers.resumed(resumed);
    signaling.listen((event) => this.#onEvent(event));
    await taken;
    this.state.apply("resumed", this.handlers.sent());
    for (const path of Object.values(this.#paths)) path.socketIsBack();
  }

  /** First new ICE credentials, then new transports, then a new session. */
  #watch(direction: Direction): PathWatch {
    return new PathWatch({
      restartIce: async () => this.#media?.restartIce(direction),
      renew: () => this.#renew(direction),
      rejoin: () => void this.#joinAnew(),
      changed: () => this.#onPath(),
      failed: (error) => this.end(error),
    });
  }

  /** A join of the channel one is in gives the same session again, with the same transports. */
  async #joinAnew(): Promise<void> {
    const stay = this.#stay;
    await this.request("voice:leave", {}).catch(() => undefined);
    if (this.#stay === stay) await this.rejoin(0);
  }

  async #renew(direction: Direction): Promise<void> {
    const media = this.#media;
    if (!media) throw new VoiceError("CANCELLED", "the call was left meanwhile");
    if (!this.#signaling) throw new VoiceError("UNREACHABLE", "there is no connection");
    this.handlers.renewing(direction);
    await media.renew(direction);
    if (this.#media === media) this.handlers.renewed(media, direction);
  }

  #onPath(): void {
    const state = worseOf([this.#paths.send.state, this.#paths.recv.state]);
    if (state === this.#mediaState) return;
    this.#mediaState = state;
    this.handlers.mediaState(state);
  }

  /** Relay credentials live a day at most. */
  #renewTurn(stay: number, { turnCredentialExpiresAt, rtcConfig }: Joined): void {
    clearTimeout(this.#turnTimer);
    const expires = Date.parse(turnCredentialExpiresAt ?? "");
    if (!Number.isFinite(expires) || rtcConfig.iceServers.length === 0) return;
    const delay = Math.min(Math.max(60_000, (expires - Date.now()) * 0.8), 12 * HOUR_MS);
    this.#turnTimer = setTimeout(async () => {
      if (this.#stay !== stay) return;
      const renewed = await this.request("voice:turn:refresh", {}).catch(() => null);
      if (renewed) await this.#media?.updateIceServers(renewed.iceServers).catch(() => undefined);
      const next = { ...rtcConfig, iceServers: renewed?.iceServers ?? rtcConfig.iceServers };
      const expiresAt = renewed?.turnCredentialExpiresAt ?? turnCredentialExpiresAt ?? "";
      this.#renewTurn(stay, { turnCredentialExpiresAt: expiresAt, rtcConfig: next } as Joined);
    }, delay);
  }

  #giveUp(stay: number, thrown: unknown): void {
    if (this.#stay !== stay) return;
    const error = VoiceError.from(thrown);
    this.#stay += 1;
    this.#closeMedia();
    this.#closeSignaling();
    if (!this.state.apply("failed")) this.state.apply("ended");
    this.handlers.ended(error);
  }

  #closeMedia(): void {
    clearTimeout(this.#turnTimer);
    for (const path of Object.values(this.#paths)) path.stop();
    this.#media?.close();
    this.#media = null;
    this.#onPath();
  }

  #closeSignaling(): void {
    const signaling = this.#signaling;
    this.#signaling = null;
    signaling?.close();
  }
}
