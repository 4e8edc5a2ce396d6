/**
 * Whole clients of an encrypted call: the page's half, the worker's own code, and MLS by the library. The server and
 * the node between them are the test's: what they are told to do they do, honest or not.
 */
import { expect, vi } from "vitest";
import type { Bytes } from "../src/e2ee/bytes";
import { Encryption, type Person } from "../src/e2ee/encryption";
import { FrameCipher, type Refused } from "../src/e2ee/frame-cipher";
import type { Stream } from "../src/e2ee/frame";
import { KeyRing } from "../src/e2ee/key-ring";
import type { FromWorker, StreamReport, ToWorker, TransformOptions } from "../src/e2ee/messages";
import type { KeyMessage } from "../src/e2ee/mls/group-keys";
import { VoiceError } from "../src/errors";
import type { E2eeMessage } from "../src/generated";
import type { Source } from "../src/payloads";

export const CHANNEL = "club";

type Install = Extract<ToWorker, { type: "install" }>;

interface Frame {
  data: ArrayBuffer;
  getMetadata(): { mimeType: string };
}

/** One stream's transform in a worker, from the outside. */
class Transform {
  #came: Bytes[] = [];
  #give: (frame: Frame) => void = () => undefined;
  /** When the worker has done with the frame before, and wants another. */
  #wants: Promise<void>;
  #isWanted: () => void = () => undefined;

  constructor(scope: WorkerScope, options: TransformOptions) {
    this.#wants = this.#next();
    const pull = (controller: ReadableStreamDefaultController<Frame>) =>
      new Promise<void>((resolve) => {
        this.#give = (frame) => {
          this.#wants = this.#next();
          controller.enqueue(frame);
          resolve();
        };
        this.#isWanted();
      });
    const readable = new ReadableStream<Frame>({ pull }, { highWaterMark: 0 });
    const writable = new WritableStream<Frame>({ write: ({ data }) => void this.#came.push(new Uint8Array(data)) });
    scope.onrtctransform?.({ transformer: { readable, writable, options } });
  }

  #next(): Promise<void> {
    return new Promise((resolve) => (this.#isWanted = resolve));
  }

  /** What comes out; null: it was dropped. */
  async through(data: Uint8Array, mimeType: string): Promise<Bytes | null> {
    await this.#wants;
    this.#give({ data: Uint8Array.from(data).buffer, getMetadata: () => ({ mimeType }) });
    await this.#wants;
    await sleep(0);
    return this.#came.shift() ?? null;
  }
}

interface WorkerScope {
  onmessage?: (event: { data: ToWorker }) => void;
  onrtctransform?: (event: { transformer: object }) => void;
  postMessage?: (message: FromWorker) => void;
}

let instances = 0;
/** One after the other: they find their scope in a global variable. */
let starting: Promise<unknown> = Promise.resolve();

/** The worker's script, with a scope of its own. */
export class OwnWorker {
  onmessage: ((event: { data: FromWorker }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** Key material as it went in: what an attacker finds there. */
  readonly exported: Install[] = [];
  readonly refused: Record<Refused, number> = { malformed: 0, noKey: 0, forged: 0, replayed: 0 };
  #scope: WorkerScope = {};

  static start(): Promise<OwnWorker> {
    const started = starting.then(async () => {
      const worker = new OwnWorker();
      worker.#scope.postMessage = (data) => {
        if (data.type === "report") worker.#count(data.streams);
        worker.onmessage?.({ data: structuredClone(data) });
      };
      const global = globalThis as { self?: unknown };
      const before = global.self;
      global.self = worker.#scope;
      // Another instance of the module for each.
      await import(/* @vite-ignore */ `../src/e2ee/worker.ts?instance=${(instances += 1)}`);
      global.self = before;
      return worker;
    });
    starting = started;
    return started;
  }

  #count(streams: readonly StreamReport[]): void {
    for (const { refused } of streams) for (const [why, count] of Object.entries(refused)) this.refused[why as Refused] += count;
  }

  postMessage(message: ToWorker): void {
    const data = structuredClone(message);
    if (data.type === "install") this.exported.push(structuredClone(data));
    queueMicrotask(() => this.#scope.onmessage?.({ data }));
  }

  terminate(): void {
    this.#scope.onmessage = () => undefined;
  }

  transform(options: TransformOptions): Transform {
    return new Transform(this.#scope, options);
  }
}

/** In place of the browser's. */
export function stubTransforms(): void {
  const stub = function (worker: OwnWorker, options: TransformOptions) {
    return worker.transform(options);
  };
  Object.assign(globalThis, { RTCRtpScriptTransform: stub });
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A frame on its way, as a node has it. */
export interface Captured {
  sessionId: string;
  source: Source;
  at: number;
  data: Bytes;
}

export class Client {
  failed: VoiceError[] = [];
  #senders = new Map<Source, Transform>();
  #receivers = new Map<string, Transform>();

  private constructor(
    private readonly server: Server,
    readonly sessionId: string,
    readonly userId: string,
    readonly worker: OwnWorker,
    readonly encryption: Encryption,
  ) {}

  static async start(server: Server, sessionId: string, userId: string): Promise<Client> {
    const worker = await OwnWorker.start();
    const failed: VoiceError[] = [];
    const handlers = {
      changed: () => undefined,
      inviteNeeded: () => undefined,
      inviteCreated: () => undefined,
      send: (message: E2eeMessage) => server.send(sessionId, message),
      failed: (error: VoiceError) => void failed.push(error),
    };
    const encryption = new Encryption(CHANNEL, {}, handlers, worker as unknown as Worker);
    const client = new Client(server, sessionId, userId, worker, encryption);
    client.failed = failed;
    return client;
  }

  enter(): void {
    const token = `x.${btoa(JSON.stringify({ sub: this.userId })).replaceAll("=", "")}.x`;
    this.encryption.enter({ sessionId: this.sessionId, isDm: false, token }, this.server.listFor(this.sessionId));
  }

  /** Frames that were not opened, by the worker's reports. */
  get refused(): Record<Refused, number> {
    return this.worker.refused;
  }

  /** Its next frames come by new consumers. */
  forgetConsumers(): void {
    this.#receivers.clear();
  }

  get code(): string | null {
    return this.encryption.snapshot.code;
  }

  /** What leaves this client; null: nothing does. */
  async sends(data: Uint8Array, source: Source = "mic", mimeType = "audio/opus"): Promise<Captured | null> {
    let transform = this.#senders.get(source);
    if (!transform) {
      const sender = {} as RTCRtpSender;
      this.encryption.seal(sender, source);
      transform = sender.transform as unknown as Transform;
      this.#senders.set(source, transform);
    }
    const sealed = await transform.through(data, mimeType);
    return sealed && { sessionId: this.sessionId, source, at: performance.now(), data: sealed };
  }

  /** What is played of a frame that comes by a consumer of this stream; null: it is dropped. */
  async plays(data: Uint8Array, of: { sessionId: string; source: Source }, mimeType = "audio/opus"): Promise<Bytes | null> {
    const key = `${of.sessionId} ${of.source}`;
    let transform = this.#receivers.get(key);
    if (!transform) {
      const receiver = {} as RTCRtpReceiver;
      this.encryption.open(receiver, of, mimeType);
      transform = receiver.transform as unknown as Transform;
      this.#receivers.set(key, transform);
    }
    return transform.through(data, mimeType);
  }
}

export class Server {
  readonly clients = new Map<string, Client>();
  /** Also those that left. */
  #all: Client[] = [];
  /** Everything that members tell each other, which passes here in clear. */
  readonly messages: KeyMessage[] = [];
  /** Whom it names to somebody, if not those who are there. */
  lies: (list: Person[], to: string) => Person[] = (list) => list;
  /** Whether a message is passed on. */
  passes: (message: KeyMessage, to: string) => boolean = () => true;
  /** Also told what is said, though no member: a former one, or a ghost. */
  readonly taps = new Set<Client>();
  /** Which side of a fork somebody is on: each has its own order of commits. */
  sideOf: (sessionId: string) => string = () => "";
  #epochs = new Map<string, number>();

  async join(sessionId: string, userId = `user of ${sessionId}`): Promise<Client> {
    const client = await Client.start(this, sessionId, userId);
    this.#all.push(client);
    client.enter();
    this.clients.set(sessionId, client);
    this.tell();
    return client;
  }

  leave(client: Client): void {
    this.clients.delete(client.sessionId);
    this.tell();
  }

  close(): void {
    for (const { encryption } of this.#all) encryption.close();
  }

  tell(): void {
    for (const [sessionId, { encryption }] of this.clients) encryption.people(this.listFor(sessionId));
  }

  listFor(own: string): Person[] {
    const others = [...this.clients.values()].filter(({ sessionId }) => sessionId !== own);
    return this.lies(others.map(({ sessionId, userId }) => ({ sessionId, userId })), own);
  }

  /** As the node does: of each epoch of a group the first commit. */
  async send(from: string, { kind, epoch, to, data }: E2eeMessage): Promise<void> {
    if (kind === "commit") {
      const group = `${this.sideOf(from)} ${data.slice(0, 28)}`;
      if ((this.#epochs.get(group) ?? epoch) !== epoch) throw new VoiceError("INVALID_STATE", "late", { epoch });
      this.#epochs.set(group, epoch + 1);
    }
    const message: KeyMessage = { sessionId: from, userId: "", kind, epoch, data, roomSeq: 0 };
    this.messages.push(message);
    for (const client of [...this.clients.values(), ...this.taps]) {
      if (client.sessionId === from || (to !== undefined && to !== client.sessionId)) continue;
      if (this.sideOf(from) !== this.sideOf(client.sessionId)) continue;
      if (this.passes(message, client.sessionId)) client.encryption.message(message);
    }
  }
}

/** By whoever has a worker's key material, of whatever epoch: the frame's content, or why not. */
export async function opensWith(exported: readonly Install[], { sessionId, source, data }: Captured, codec: Stream["codec"] = "opus") {
  let last: Bytes | Refused = "noKey";
  for (const { number, suite, secret } of exported) {
    const ring = new KeyRing(CHANNEL);
    // Whoever it is believed to be of: an attacker has no list of members.
    await ring.install({ number, suite, secret: secret.slice(), removal: false, delayed: false }, 0);
    last = await new FrameCipher(ring, () => 0).open({ sessionId, source, codec }, data);
    if (last instanceof Uint8Array) return last;
  }
  return last;
}

const settled = (what: () => void | Promise<void>) => vi.waitFor(what, { timeout: 10_000, interval: 20 });

/** All have keys of one epoch, of which all are members. */
export async function areOne(clients: readonly Client[]): Promise<void> {
  const members = clients.map(({ sessionId }) => sessionId).sort();
  await settled(() => {
    for (const { worker } of clients) expect([...(worker.exported.at(-1)?.senders ?? [])].sort()).toEqual(members);
    expect(new Set(clients.map(({ code }) => code)).size).toBe(1);
  });
}

/** Everybody has the key that each sends with. Who let somebody in sends for a moment with the one before. */
export async function areHeard(clients: readonly Client[]): Promise<void> {
  for (const from of clients)
    await settled(async () => {
      const frame = (await from.sends(Uint8Array.of(7))) ?? expect.fail("nothing was sent");
      for (const to of clients) expect(await opensWith(to.worker.exported, frame)).toEqual(Uint8Array.of(7));
    });
}
