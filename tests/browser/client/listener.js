/**
 * Beside the page, and without its help: what its peer connections receive, and a microphone with a tone of
 * our own in place of the browser's beep.
 */
import { ToneMeter } from "./meters.js";
import { RHYTHMS, toneTrack } from "./sources.js";
import { microphoneTrack, RecordedToneMeter } from "./without-speakers.js";

const { microphone = {}, camera, network, ports = {} } = window.testSettings ?? {};
if (network) Object.defineProperty(navigator, "connection", { value: { type: network } });

const meters = new Map();
let audio;
/** Set before this script: no sound can be played here. */
window.withoutSpeakers ??= false;
const context = () => (audio ??= new AudioContext({ sampleRate: 48_000 }));

/** Audio contexts that the page made. */
const contexts = [];
window.AudioContext = class extends AudioContext {
  constructor(...options) {
    super(...options);
    contexts.push(this);
  }
};
/** Suspends the page's audio contexts, or resumes them, as a system does during a phone call: capture gives no samples. */
window.standStill = (still) =>
  Promise.all(contexts.filter(({ state }) => state !== "closed").map((it) => (still ? it.suspend() : it.resume())));

/** From the speakers back into a microphone beside them. */
let room;
function wayThroughTheRoom() {
  if (!room) {
    room = new DelayNode(context(), { delayTime: 0.1 });
    room.output = context().createMediaStreamDestination();
    room.connect(room.output);
  }
  return room;
}

/** Every element that plays sound. */
const players = [];
window.Audio = class extends Audio {
  constructor(...options) {
    super(...options);
    players.push(this);
  }
};
const audible = () => players.filter(({ srcObject, muted }) => srcObject && !muted);
/** How loud each of the page's own players is, 0 to 1. */
window.volumes = () => audible().map(({ volume }) => volume);
/** The output device of each. */
window.speakersInUse = () => audible().map(({ sinkId }) => sinkId);

const connections = [];
window.connectionsMade = 0;
/** Offers and answers of the server that were taken. */
window.negotiations = 0;
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    window.connectionsMade += 1;
    connections.push(this);
    this.addEventListener("track", ({ track }) => {
      if (track.kind !== "audio") return;
      const meter = window.withoutSpeakers ? new RecordedToneMeter(track) : new ToneMeter(context(), track);
      meters.set(track, meter);
      if (microphone.hearsItself) meter.source.connect(wayThroughTheRoom());
    });
  }

  setRemoteDescription({ type, sdp }) {
    window.negotiations += 1;
    const instead = sdp.replace(
      /^(a=candidate:\S+ \d \S+ \d+ \S+ )(\d+)/gm,
      (_, start, port) => start + (ports[port] ?? port),
    );
    return super.setRemoteDescription({ type, sdp: instead });
  }
};

/** The frequency of each voice that is heard since then (milliseconds since 1970). */
window.heardSince = (since) =>
  [...meters.values()].map((meter) => meter.heardSince(since)).filter((hertz) => hertz !== null);

/** When anything loud was last received, in milliseconds since 1970. */
window.lastLoudAt = () => Math.max(0, ...[...meters.values()].map(({ lastLoudAt }) => lastLoudAt));

/** The streams behind the voices that have come. */
window.voicesReceived = () => [...meters.keys()].map(({ id }) => id).join();

/** The kinds of candidates of our own, of every connection there is. */
window.candidatesGathered = () => {
  // One that is closed was to ask the browser for its kind of network; nothing of it left the page.
  const open = connections.filter(({ signalingState }) => signalingState !== "closed");
  const lines = open.flatMap(({ localDescription }) => localDescription?.sdp.split("\n") ?? []);
  const kinds = lines.map((line) => /^a=candidate:.* typ (\w+)/.exec(line)?.[1]).filter(Boolean);
  return [...new Set(kinds)].sort();
};

/** Connections that were to carry media, whether they are closed again or not. */
window.transportsMade = () => connections.filter(({ remoteDescription }) => remoteDescription !== null).length;

/** Of every connection that stands, the path it takes. */
window.pathsTaken = async () => {
  const paths = [];
  for (const connection of connections.filter((it) => it.connectionState === "connected")) {
    const report = await connection.getStats();
    const transport = [...report.values()].find(({ type }) => type === "transport");
    const local = report.get(report.get(transport?.selectedCandidatePairId)?.localCandidateId);
    paths.push({ local: local?.candidateType, relayProtocol: local?.relayProtocol });
  }
  return paths;
};

/** The statistics of every connection that are of this type. */
async function entriesOf(type) {
  const reports = await Promise.all(connections.map((connection) => connection.getStats()));
  return reports.flatMap((report) => [...report.values()]).filter((entry) => entry.type === type);
}

/** The sum of a count over all voices that are received (`inbound-rtp`) or sent (`outbound-rtp`). */
async function sumOfVoices(type, count) {
  const voices = (await entriesOf(type)).filter(({ kind }) => kind === "audio");
  return voices.reduce((sum, voice) => sum + (voice[count] ?? 0), 0);
}

/** Of every stream that is received: `{kind, packetsReceived, packetsLost}`. */
window.packetsOfStreams = async () =>
  (await entriesOf("inbound-rtp")).map(({ kind, packetsReceived, packetsLost }) => ({ kind, packetsReceived, packetsLost }));

/** Packets of voices that did not come so far, not even when they were sent again. */
window.voicesLost = () => sumOfVoices("inbound-rtp", "packetsLost");

/** The encodings of what is sent of that kind: `{active, maxBitrate, priority}`. */
window.encodingsSent = (kind) =>
  connections
    .flatMap((connection) => connection.getSenders())
    .filter(({ track }) => track?.kind === kind)
    .flatMap((sender) => sender.getParameters().encodings)
    .map(({ active, maxBitrate, priority }) => ({ active, maxBitrate, priority }));

/** Packets with error correction that came with voices so far (Opus in-band FEC, RFC 6716). */
window.fecReceived = () => sumOfVoices("inbound-rtp", "fecPacketsReceived");

/** Packets of voices that were sent again so far, because the server asked for them. */
window.voicesSentAgain = () => sumOfVoices("outbound-rtp", "retransmittedPacketsSent");

/** What the browser may send by its own estimate, in bits per second: what its videos share. */
window.availableToSend = async () => {
  const pairs = (await entriesOf("candidate-pair")).filter(({ nominated }) => nominated);
  return Math.max(0, ...pairs.map(({ availableOutgoingBitrate }) => availableOutgoingBitrate ?? 0));
};

/** The devices behind the videos that are sent. */
window.camerasInUse = () =>
  connections
    .flatMap((connection) => connection.getSenders())
    .flatMap(({ track }) => (track?.kind === "video" ? [track.getSettings().deviceId] : []));

window.camerasAsked = 0;
/** Of every microphone that was opened: the device asked for. */
window.microphonesAsked = [];
const media = navigator.mediaDevices;
const getUserMedia = media.getUserMedia.bind(media);
/** As the system, or a switch on the device, mutes what is captured. Browsers are not told so here. */
window.captured = [];
window.muteBySystem = (kind, muted) => {
  for (const track of window.captured.filter((it) => it.kind === kind)) {
    Object.defineProperty(track, "muted", { configurable: true, value: muted });
    track.dispatchEvent(new Event(muted ? "mute" : "unmute"));
  }
};
media.getUserMedia = async (constraints) => {
  const stream = await captureFor(constraints);
  window.captured.push(...stream.getTracks());
  return stream;
};
async function captureFor(constraints) {
  if (constraints.video) window.camerasAsked += 1;
  if (!constraints.audio) return getUserMedia(camera ? { video: { ...constraints.video, ...camera } } : constraints);
  const { deviceId, echoCancellation } = constraints.audio;
  // Our own microphone's wishes.
  if (echoCancellation === false) return getUserMedia(constraints);
  window.microphonesAsked.push(deviceId?.exact ?? "");
  if (window.withoutSpeakers) return new MediaStream([await microphoneTrack()]);
  const { tone, rhythm, hearsItself } = microphone;
  if (hearsItself) return wayThroughTheRoom().output.stream.clone();
  if (!tone) return getUserMedia(constraints);
  // Another device has another voice.
  const hertz = tone + (deviceId?.exact ? 200 : 0);
  return new MediaStream([toneTrack(context(), hertz, RHYTHMS[rhythm])]);
}
