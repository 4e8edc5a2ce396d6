/** The worker that has the keys: every frame of an encrypted call passes one of its transforms. */
import type { Bytes } from "./bytes";
import { codecOf, type FrameCodec, type Stream } from "./frame";
import { FrameCipher, type Refused } from "./frame-cipher";
import type { Mark } from "./epoch";
import { KeyRing } from "./key-ring";
import { marksOf } from "./seen-frames";
import type { FromWorker, StreamReport, ToWorker, TransformOptions } from "./messages";

/** Of the reports to the page, in milliseconds. */
const REPORT_INTERVAL = 200;
/** Between two key frames that a stream asks for. */
const KEY_FRAME_INTERVAL = 1_000;

interface EncodedFrame {
  data: ArrayBuffer;
  getMetadata(): { payloadType?: number; mimeType?: string };
}

interface Transformer {
  readable: ReadableStream<EncodedFrame>;
  writable: WritableStream<EncodedFrame>;
  options: TransformOptions;
  generateKeyFrame?(): Promise<unknown>;
  sendKeyFrameRequest?(): Promise<unknown>;
}

/** What TypeScript's library for pages does not have. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onrtctransform: ((event: { transformer: Transformer }) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = self as unknown as WorkerScope;
const now = () => performance.now();
const ignore = () => undefined;
/** Of each transform what was negotiated, by payload type. */
const codecs = new Map<number, ReadonlyMap<number, FrameCodec>>();
const reports = new Map<string, StreamReport>();
let [sealed, held] = [0, 0];
let reporting: ReturnType<typeof setTimeout> | undefined;
let sweeping: ReturnType<typeof setTimeout> | undefined;
let waking: ReturnType<typeof setTimeout> | undefined;
let begin: (channelId: string, seen: Mark[]) => void;
const begun = new Promise<{ ring: KeyRing; cipher: FrameCipher }>((resolve) => {
  begin = (channelId, seen) => {
    const ring = new KeyRing(channelId, marksOf(seen));
    resolve({ ring, cipher: new FrameCipher(ring, now) });
  };
});

scope.onmessage = ({ data }) => void take(data);
scope.onrtctransform = ({ transformer }) => {
  const { options } = transformer;
  const transform = options.direction === "send" ? sealing(transformer, options) : opening(transformer, options);
  // A transport that is closed ends its streams by an error, which is nobody's concern.
  pump(transformer, transform).catch(ignore);
};

/** One frame after the other, without a `TransformStream` between: it would cost each frame several promises. */
async function pump({ readable, writable }: Transformer, transform: Transform): Promise<void> {
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  // Nobody takes what comes out.
  writer.closed.catch(() => reader.cancel()).catch(ignore);
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const frame = await transform(read.value);
    if (frame) writer.write(frame).catch(ignore);
  }
  await writer.close();
}

async function take(message: ToWorker): Promise<void> {
  if (message.type === "begin") return begin(message.channelId, message.seen);
  if (message.type === "wake") return wake(message.after);
  if (message.type === "codecs") return void codecs.set(message.transform, new Map(message.codecs));
  const { ring, cipher } = await begun;
  if (message.type === "data") {
    const { ask, what, data, sessionId } = message;
    const stream: Stream = { sessionId, source: "data", codec: "message" };
    const answer = await cipher[what](stream, data).catch(() => null);
    return scope.postMessage({ type: "data", ask, data: typeof answer === "string" ? null : answer, seen: ring.takeMarks() });
  }
  if (message.type === "left") return ring.somebodyLeft(now());
  if (message.type === "reset") return ring.reset();
  const { number } = message;
  await ring.install(message, now());
  sweep(ring);
  const { newest } = ring;
  scope.postMessage({ type: "installed", number, code: newest?.number === number ? newest.code : null });
}

/** A worker's clock goes on in the background, a page's is held back to a second. */
function wake(after: number): void {
  clearTimeout(waking);
  waking = setTimeout(() => scope.postMessage({ type: "woken" }), after);
}

function sweep(ring: KeyRing): void {
  clearTimeout(sweeping);
  const next = ring.sweep(now());
  if (next < Infinity) sweeping = setTimeout(() => sweep(ring), next - now());
}

/** Null: it is dropped. */
type Transform = (frame: EncodedFrame) => Promise<EncodedFrame | null>;

function sealing(transformer: Transformer, options: TransformOptions): Transform {
  const { sessionId, source, transform } = options;
  let wasHeld = false;
  let stream: Stream | null = null;
  return async (frame) => {
    const { cipher } = await begun;
    const codec = codecOfFrame(frame, codecs.get(transform));
    if (stream?.codec !== codec) stream = codec && { sessionId, source, codec };
    const wire = stream && (await cipher.seal(stream, new Uint8Array(frame.data)).catch(() => null));
    if (!wire) {
      held += 1;
      wasHeld = true;
      report();
      return null;
    }
    sealed += 1;
    frame.data = exactly(wire);
    // Whoever receives it lacks those before.
    if (wasHeld) ask(transformer.generateKeyFrame?.bind(transformer));
    wasHeld = false;
    report();
    return frame;
  };
}

function opening(
  transformer: Transformer,
  { sessionId, source, codec }: Extract<TransformOptions, { direction: "receive" }>,
): Transform {
  const stream = { sessionId, source, codec };
  let [lacks, askedAt] = [false, -Infinity];
  return async (frame) => {
    const { cipher } = await begun;
    const opened = await cipher.open(stream, new Uint8Array(frame.data)).catch((): Refused => "forged");
    const of = reportOf(stream);
    report();
    if (typeof opened === "string") {
      of.refused[opened] += 1;
      lacks ||= opened !== "replayed";
      return null;
    }
    of.opened += 1;
    frame.data = exactly(opened);
    if (lacks && now() - askedAt >= KEY_FRAME_INTERVAL) {
      [lacks, askedAt] = [false, now()];
      ask(transformer.sendKeyFrameRequest?.bind(transformer));
    }
    return frame;
  };
}

/** Where one alone was negotiated the frame is not asked: Chromium makes an object of ten fields to answer. */
function codecOfFrame(frame: EncodedFrame, negotiated: ReadonlyMap<number, FrameCodec> | undefined): FrameCodec | null {
  const [only = null] = negotiated?.size === 1 ? negotiated.values() : [];
  if (only) return only;
  const { mimeType, payloadType } = frame.getMetadata();
  return codecOf(mimeType) ?? negotiated?.get(payloadType ?? -1) ?? null;
}

/** Of video; audio has none, and says so. */
function ask(forKeyFrame: (() => Promise<unknown>) | undefined): void {
  try {
    forKeyFrame?.().catch(() => undefined);
  } catch {
    // A browser without it asks by itself, later.
  }
}

function exactly(bytes: Bytes): ArrayBuffer {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

function reportOf({ sessionId, source }: Pick<StreamReport, "sessionId" | "source">): StreamReport {
  const of = `${source} ${sessionId}`;
  const found = reports.get(of);
  if (found) return found;
  const fresh = { sessionId, source, opened: 0, refused: { malformed: 0, noKey: 0, forged: 0, replayed: 0 } };
  reports.set(of, fresh);
  return fresh;
}

function report(): void {
  reporting ??= setTimeout(async () => {
    reporting = undefined;
    const { ring } = await begun;
    scope.postMessage({ type: "report", streams: [...reports.values()], sealed, held, seen: ring.takeMarks() });
    reports.clear();
    [sealed, held] = [0, 0];
  }, REPORT_INTERVAL);
}
