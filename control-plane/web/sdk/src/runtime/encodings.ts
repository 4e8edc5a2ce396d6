/** How each source is encoded, and how that is changed while it is being sent. */
import type { types } from "mediasoup-client";
import { SCREEN_AUDIO_BITRATE } from "../contract";
import { activeEncodings, CAMERA_ENCODINGS, SCREEN_ENCODINGS } from "../layers";
import type { Source } from "../payloads";

type Encoding = { maxBitrate?: number };

/** Little is sent in silence; what is lost is repaired by error correction, and sent again where that comes in time. */
const OPUS = { opusDtx: true, opusFec: true, opusNack: true };

export function encodingsOf(source: Source): readonly Encoding[] {
  if (source === "camera") return CAMERA_ENCODINGS;
  return source === "screen" ? SCREEN_ENCODINGS : [{}];
}

/** `audioBitrate`: what the user's tier allows, in bits per second. */
export function produceOptions(source: Source, audioBitrate: number): Omit<types.ProducerOptions, "track"> {
  const common = { appData: { source }, stopTracks: false };
  switch (source) {
    case "mic":
      return {
        ...common,
        codecOptions: { ...OPUS, opusMaxAverageBitrate: audioBitrate },
        // A muted microphone sends nothing at all.
        zeroRtpOnPause: true,
      };
    case "screenAudio":
      return {
        ...common,
        codecOptions: { ...OPUS, opusMaxAverageBitrate: Math.min(audioBitrate, SCREEN_AUDIO_BITRATE) },
      };
    case "camera":
    case "screen":
      return {
        ...common,
        encodings: encodingsOf(source).map((encoding) => ({ ...encoding })),
        codecOptions: { videoGoogleStartBitrate: 1_000 },
        zeroRtpOnPause: true,
        // One's own preview goes on meanwhile.
        disableTrackOnPause: false,
      };
  }
}

export interface Shape {
  audioBitrate: number;
  audioFactor: number;
  videoFactor: number;
  protectAudio: boolean;
}

/** One change after the other: a browser refuses parameters that are based on older ones. */
const changes = new WeakMap<types.Producer, Promise<void>>();

/** Sets bitrates, priority, and which layers are sent at all. */
export function shapeSender(
  producer: types.Producer,
  source: Source,
  shape: Shape,
  maxSpatialLayer: number | null,
): void {
  const before = changes.get(producer) ?? Promise.resolve();
  const change = async () => {
    const sender = producer.rtpSender;
    if (producer.closed || !sender) return;
    const parameters = sender.getParameters();
    const base = encodingsOf(source);
    const active = activeEncodings(base.length, maxSpatialLayer);
    parameters.encodings.forEach((encoding, layer) => {
      if (producer.kind === "audio") {
        encoding.maxBitrate = Math.round(shape.audioBitrate * shape.audioFactor);
        encoding.networkPriority = encoding.priority = shape.protectAudio ? "high" : "low";
        return;
      }
      encoding.active = active[layer] ?? true;
      const bitrate = base[layer]?.maxBitrate;
      if (bitrate) encoding.maxBitrate = Math.round(bitrate * shape.videoFactor);
    });
    await sender.setParameters(parameters);
  };
  // A sender that is just being closed refuses; there is nothing to shape then.
  changes.set(
    producer,
    before.then(change).catch(() => undefined),
  );
}
