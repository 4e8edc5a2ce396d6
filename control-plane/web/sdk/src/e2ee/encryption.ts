/** The page's half of an encrypted call: transforms for each sender and receiver, invites, and who has which key. */
import { VoiceError } from "../errors";
import type { Source } from "../payloads";
import type {
  CallEncryption,
  EncryptionOptions,
  IdentityHook,
  IdentityTrust,
  InviteCreated,
  InviteNeeded,
  ParticipantEncryption,
} from "../types";
import type { E2eeMessage } from "../generated";
import { SealedData } from "./data";
import { codecOf, type FrameCodec } from "./frame";
import { freshInvite, type Invite, readInvite, writeInvite } from "./invite";
import { ACCEPTED_AFTER_REMOVAL } from "./key-ring";
import type { FromWorker, ToWorker, TransformOptions } from "./messages";
import type { GroupKeys, KeyMessage } from "./mls/group-keys";
import type { Listed } from "./mls/people";
import { EncryptedPeople } from "./people";
import { SeenFrames } from "./seen-frames";

/** Of another member, that may wait until this one can read them. */
const EARLY_MAX = 256;
/** How long an invite may be ahead of the server's word that somebody left, in milliseconds. */
const AHEAD_BY = 5_000;
/** Who does not come back from a rejoin within this is gone, in milliseconds. */
const BACK_WITHIN = 10_000;

export interface EncryptionHandlers {
  changed(): void;
  inviteNeeded(event: InviteNeeded): void;
  inviteCreated(event: InviteCreated): void;
  /** To the others by the server, for keys of a group. */
  send(message: E2eeMessage): Promise<unknown>;
  /** Nothing can be encrypted any more. */
  failed(error: VoiceError): void;
}

export interface Person {
  sessionId: string;
  userId: string;
  reconnecting?: boolean;
}

/** Of a stay. `token`: one's own, which says who one is. */
export interface Stay {
  sessionId: string;
  isDm: boolean;
  token: string;
}

interface KeyOptions {
  rotate?: boolean;
  identity?: IdentityHook | null;
}

/** Frames that cannot be opened are reported to the group so often, in milliseconds. */
const MISSING_INTERVAL = 400;

interface Answer {
  /** The epoch's code; null: its time is over. */
  resolve(code: string | null): void;
  reject(error: VoiceError): void;
}

/** Lives as long as the call, through rejoins: its worker's counters must go on. */
export class Encryption {
  readonly data: SealedData;
  readonly #seen: SeenFrames;
  #transforms = 0;
  #own = "";
  #people = new Map<string, string>();
  /** The same people, as the keys of a group need them. */
  #listed: Listed[] = [];
  #opened = new EncryptedPeople();
  /** The newest; none: nobody is heard, and nothing is sent. */
  #invite: Invite | null = null;
  #code: string | null = null;
  #confirmed: string | null = null;
  /** When an invite came that was made since somebody left whom the server has not said to have left. */
  #removalAt: number | null = null;
  /** Somebody left, and the key that follows has not come. */
  #awaits = false;
  #answers = new Map<number, Answer[]>();
  #timers = new Set<ReturnType<typeof setTimeout>>();
  /** The worker does not run, so it answers nothing any more. */
  #failed: VoiceError | null = null;
  /** Keys by MLS: of a call that nobody was invited to by a key. */
  #group: GroupKeys | null = null;
  #isGroup = false;
  /** What came while it was loaded. */
  #early: KeyMessage[] = [];
  #toldMissing = -Infinity;

  constructor(
    private readonly channelId: string,
    private readonly keys: KeyOptions,
    private readonly handlers: EncryptionHandlers,
    private readonly worker: Worker = startWorker(),
  ) {
    this.#seen = new SeenFrames(channelId);
    this.data = new SealedData((message) => this.#tell(message), () => this.#own);
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#take(data);
    worker.onerror = () => {
      const error = new VoiceError("INTERNAL", "the worker that encrypts does not run", {}, true);
      this.#failed = error;
      for (const { reject } of [...this.#answers.values()].flat()) reject(error);
      this.#answers.clear();
      this.data.close();
      handlers.failed(error);
    };
    this.#tell({ type: "begin", channelId, seen: this.#seen.before });
  }

  /** With the invite there is. Fails as `use`. */
  static async start(
    channelId: string,
    options: EncryptionOptions | undefined,
    handlers: EncryptionHandlers,
  ): Promise<Encryption> {
    const { invite, rotate = true, identity = null } = typeof options === "object" ? options : {};
    const encryption = new Encryption(channelId, { rotate, identity }, handlers);
    try {
      if (invite !== undefined) await encryption.use(invite);
    } catch (error) {
      encryption.close();
      throw error;
    }
    return encryption;
  }

  /** Everything with it: the keys are in the worker alone. */
  close(): void {
    this.worker.terminate();
    this.data.close();
    this.#seen.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#invite?.secret.fill(0);
    this.#invite = this.#code = null;
    // What is still being loaded finds that the stay is over.
    this.#own = "";
    this.#group?.close();
  }

  get snapshot(): CallEncryption {
    const code = this.#code;
    return {
      mode: "endToEnd",
      keys: this.#isGroup ? "group" : "invite",
      code,
      verified: code !== null && code === this.#confirmed,
      unlisted: this.#group?.unlisted ?? [],
      faulty: this.#group?.named ?? [],
    };
  }

  of(sessionId: string): ParticipantEncryption {
    if (this.#group?.isOutside(sessionId)) return "outside";
    return this.#opened.of(sessionId, Date.now());
  }

  trustOf(sessionId: string): IdentityTrust | null {
    return this.#group?.trustOf(sessionId) ?? null;
  }

  /** The user compared the code with the others', by voice for example. It counts for this key alone. */
  confirm(matches: boolean): void {
    this.#confirmed = matches ? this.#code : null;
    if (matches) this.#group?.believe();
    this.handlers.changed();
  }

  /** Fails with `INVALID_PAYLOAD`, or with `INVALID_STATE` if its time is over. */
  async use(text: string): Promise<void> {
    if (this.#isGroup) throw new VoiceError("INVALID_STATE", "the keys of this call are made by its members");
    const invite = await readInvite(this.channelId, text);
    const isNext = this.#invite !== null && invite.number > this.#invite.number;
    if (!(await this.#install(invite, false))) throw new VoiceError("INVALID_STATE", "the time of this invite is over");
    this.#removalAt = isNext && invite.removal && !this.#awaits ? Date.now() : null;
    this.#awaits = false;
  }

  /** The invite in use, for somebody who is to come. Null: there is none. */
  async current(): Promise<string | null> {
    return this.#invite && writeInvite(this.channelId, this.#invite);
  }

  async #install(invite: Invite, delayed: boolean): Promise<boolean> {
    const { number, suite, removal } = invite;
    const isNewest = !this.#invite || number >= this.#invite.number;
    // The worker overwrites its copy.
    const secret = invite.secret.slice();
    const code = await this.#put({ type: "install", number, suite, secret, removal, delayed });
    if (!isNewest || code === null) return code !== null;
    this.#code = code;
    this.#invite = invite;
    this.handlers.changed();
    return true;
  }

  /** Into the worker. The epoch's code; null: its time is over. */
  #put(install: Extract<ToWorker, { type: "install" }>): Promise<string | null> {
    if (this.#failed) throw this.#failed;
    const { number } = install;
    const answered = new Promise<string | null>((resolve, reject) => {
      this.#answers.set(number, [...(this.#answers.get(number) ?? []), { resolve, reject }]);
    });
    this.#tell(install);
    return answered;
  }

  /** A stay in a room begins: with the session of one's own, and who is there. */
  enter({ sessionId: own, isDm, token }: Stay, people: Person[]): void {
    const before = new Set(this.#people.values());
    this.#own = own;
    this.#see(people);
    this.#isGroup ||= !isDm && !this.#invite;
    if (this.#isGroup) return void this.#enterGroup(own, token);
    if (!this.#invite) this.handlers.inviteNeeded({ channelId: this.channelId, reason: "joined" });
    // Whoever was there comes back with another session, some later than others.
    const isGone = (userId: string) => ![...this.#people.values()].includes(userId);
    if (before.size > 0) this.#later(BACK_WITHIN, () => [...before].some(isGone) && void this.#left());
  }

  /** Who is there now. */
  people(people: Person[]): void {
    const before = this.#people;
    this.#see(people);
    if (this.#isGroup) return this.#group?.people(this.#listed);
    const came = [...this.#people].filter(([sessionId]) => !before.has(sessionId));
    if ([...before.keys()].some((sessionId) => !this.#people.has(sessionId))) void this.#left();
    else if (came.length > 0) void this.#came(came.map(([, userId]) => userId));
  }

  /** By the server, from another member. */
  message(message: KeyMessage): void {
    if (this.#group) this.#group.message(message);
    else if (this.#isGroup && this.#early.length < EARLY_MAX) this.#early.push(message);
  }

  #see(people: Person[]): void {
    this.#people = byId(people);
    this.#listed = listed(people);
    this.#opened.keepOnly(new Set(this.#people.keys()));
  }

  async #enterGroup(sessionId: string, token: string): Promise<void> {
    try {
      const { GroupKeys, subjectOf } = await import("./mls/group-keys");
      this.#group ??= new GroupKeys(this.channelId, this.keys.identity ?? null, {
        send: this.handlers.send,
        epoch: ({ number, secret, members, removal, own, held }) => {
          const senders = members.map((it) => it.sessionId);
          const installed = this.#put({ type: "install", number, suite: 4, secret, removal, delayed: own, held, senders });
          installed.then((code) => this.#told(code)).catch(() => undefined);
        },
        left: () => this.#tell({ type: "left" }),
        reset: () => {
          this.#code = null;
          this.#tell({ type: "reset" });
        },
        wake: (after) => this.#tell({ type: "wake", after }),
        changed: () => this.handlers.changed(),
        failed: (error) => this.handlers.failed(error),
      });
      // Another stay may have begun meanwhile.
      if (this.#own !== sessionId) return;
      // People may have come and gone while the part was loaded.
      this.#group.enter({ sessionId, userId: subjectOf(token) }, this.#listed);
      for (const message of this.#early.splice(0)) this.#group.message(message);
    } catch (error) {
      this.handlers.failed(VoiceError.from(error));
    }
  }

  #told(code: string | null): void {
    if (code === null) return;
    this.#code = code;
    this.handlers.changed();
  }

  /** Frames of these cannot be opened, so that the group may be at different epochs. */
  #missing(): void {
    if (!this.#group || Date.now() - this.#toldMissing < MISSING_INTERVAL) return;
    const missing = [...this.#people.keys()].filter((sessionId) => this.of(sessionId) === "keyMissing");
    if (missing.length > 0) this.#toldMissing = Date.now();
    for (const sessionId of missing) this.#group.missing(sessionId);
  }

  /** Whether it is for this client to make the next key: of those who surely have one, its session is the first. */
  get #isFirst(): boolean {
    const others = [...this.#people.keys()].filter((sessionId) => this.of(sessionId) === "opened");
    return this.#invite !== null && others.every((sessionId) => this.#own < sessionId);
  }

  async #came(userIds: string[]): Promise<void> {
    if (!this.keys.rotate || !this.#isFirst) return;
    const invite = await this.current();
    if (invite) this.handlers.inviteCreated({ channelId: this.channelId, invite, userIds, reason: "joined" });
  }

  async #left(): Promise<void> {
    if (!this.keys.rotate || !this.#invite) return;
    const isDone = this.#removalAt !== null && Date.now() - this.#removalAt < AHEAD_BY;
    this.#removalAt = null;
    if (isDone) return;
    const { number, suite } = this.#invite;
    this.#tell({ type: "left" });
    if (this.#isFirst) {
      const invite = freshInvite({ number: number + 1, suite, removal: true });
      const userIds = [...new Set(this.#people.values())];
      await this.#install(invite, userIds.length > 0);
      if (userIds.length === 0) return;
      const text = await writeInvite(this.channelId, invite);
      this.handlers.inviteCreated({ channelId: this.channelId, invite: text, userIds, reason: "left" });
      return;
    }
    this.#awaits = true;
    this.#later(ACCEPTED_AFTER_REMOVAL, () => {
      if (this.#invite?.number !== number) return;
      this.#code = null;
      this.handlers.inviteNeeded({ channelId: this.channelId, reason: "left" });
      this.handlers.changed();
    });
  }

  /** To be called before the sender is negotiated: not one frame of it leaves as it is. */
  seal(sender: RTCRtpSender, source: Source): number {
    const options = this.#next({ direction: "send", sessionId: this.#own, source });
    sender.transform = new RTCRtpScriptTransform(this.worker, options);
    return options.transform;
  }

  /** What was negotiated for a sender. Fails if its frames do not pass a transform. */
  sealed(sender: RTCRtpSender | undefined, transform: number | null, parameters: RtpParametersLike): void {
    if (!sender?.transform || transform === null) {
      throw new VoiceError("INTERNAL", "a sender without encryption was about to be used", {}, true);
    }
    const codecs = parameters.codecs.flatMap(({ payloadType, mimeType }): [number, FrameCodec][] => {
      const codec = codecOf(mimeType);
      return codec ? [[payloadType, codec]] : [];
    });
    this.#tell({ type: "codecs", transform, codecs });
  }

  open(receiver: RTCRtpReceiver, { sessionId, source }: { sessionId: string; source: Source }, mimeType: string): void {
    const codec = codecOf(mimeType);
    if (!codec) throw new VoiceError("INTERNAL", `frames of ${mimeType} cannot be decrypted`);
    const options = this.#next({ direction: "receive", sessionId, source, codec });
    receiver.transform = new RTCRtpScriptTransform(this.worker, options);
  }

  #next<Options extends object>(options: Options): Options & { transform: number } {
    return { ...options, transform: ++this.#transforms } satisfies Options & Pick<TransformOptions, "transform">;
  }

  #take(message: FromWorker): void {
    if (message.type === "installed") {
      for (const { resolve } of this.#answers.get(message.number) ?? []) resolve(message.code);
      this.#answers.delete(message.number);
      return;
    }
    if (message.type === "woken") return this.#group?.woken();
    // Whoever comes into a group anew is in another epoch, so that nothing of before is opened.
    if (!this.#isGroup) this.#seen.note(message.seen, message.type === "data");
    if (message.type === "data") return this.data.take(message);
    if (this.#opened.take(message.streams, Date.now())) this.handlers.changed();
    this.#missing();
  }

  #tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  #later(ms: number, what: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      what();
    }, ms);
    this.#timers.add(timer);
  }
}

type RtpParametersLike = { codecs: { payloadType: number; mimeType: string }[] };

export { EncryptionPolicy, forget } from "./policy";

const listed = (people: Person[]): Listed[] =>
  people.map(({ sessionId, userId, reconnecting = false }) => ({ sessionId, userId, reconnecting }));

const byId = (people: Person[]) => new Map(people.map(({ sessionId, userId }) => [sessionId, userId]));

function startWorker(): Worker {
  return new Worker(new URL("./e2ee-worker.js", import.meta.url), { type: "module", name: "railgun-e2ee" });
}
