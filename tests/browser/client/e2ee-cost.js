/**
 * Two pages for `measure/e2ee-cost.mjs`: the one that is measured sends a 720p camera and receives five people's, the
 * other one is these five. Each with the SDK's encryption, with another transform, or without any.
 */
import { Encryption } from "../../../control-plane/web/sdk/src/e2ee/encryption.ts";
import { freshInvite, writeInvite } from "../../../control-plane/web/sdk/src/e2ee/invite.ts";

const CHANNEL = "cost";
const PEOPLE = 5;
const FRAME_RATE = 30;
const LARGE = { width: 1280, height: 720, maxBitrate: 1_500_000 };
/** A tile in a grid of six. With 150 kbit/s its encoder leaves out every other picture. */
const SMALL = { width: 320, height: 180, maxBitrate: 400_000 };
const MEASURED = "s_measured";
const personOf = (index) => `s_person_${index}`;

/** A picture with enough detail in motion that the encoder needs its bitrate. */
function cameraTrack({ width, height }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  let frame = 0;
  setInterval(() => {
    frame += 1;
    context.fillStyle = `hsl(${frame % 360} 60% 50%)`;
    context.fillRect(0, 0, width, height);
    for (let mark = 0; mark < 60; mark += 1) {
      context.fillStyle = `hsl(${(mark * 53 + frame * 7) % 360} 80% 50%)`;
      context.fillRect((mark * 97 + frame * 9) % width, (mark * 61 + frame * 5) % height, 60, 40);
    }
  }, 1000 / FRAME_RATE);
  return canvas.captureStream(FRAME_RATE).getVideoTracks()[0];
}

function toneTrack() {
  const audio = new AudioContext();
  const output = audio.createMediaStreamDestination();
  const tone = new OscillatorNode(audio, { frequency: 500 });
  tone.connect(output);
  tone.start();
  return output.stream.getAudioTracks()[0];
}

/** Calls into the SDK's encryption of this page, or into a transform that is given as a worker's script. */
class Transforms {
  async start({ sdk, script, invite }) {
    if (!script) return;
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), { name: "railgun-e2ee" });
    if (!sdk) {
      this.other = () => new RTCRtpScriptTransform(worker);
      return;
    }
    const nothing = () => undefined;
    const handlers = { changed: nothing, inviteNeeded: nothing, inviteCreated: nothing, failed: nothing };
    this.encryption = new Encryption(CHANNEL, { rotate: false }, handlers, worker);
    await this.encryption.use(invite);
  }

  send(sender, sessionId, kind) {
    if (this.other) sender.transform = this.other();
    this.encryption?.enter({ sessionId, isDm: true, token: "" }, []);
    const transform = this.encryption?.seal(sender, kind === "video" ? "camera" : "mic");
    return () => this.encryption?.sealed(sender, transform, sender.getParameters());
  }

  receive(receiver, sessionId, kind) {
    if (this.other) receiver.transform = this.other();
    const isVideo = kind === "video";
    this.encryption?.open(receiver, { sessionId, source: isVideo ? "camera" : "mic" }, isVideo ? "video/VP8" : "audio/opus");
  }
}

class Side {
  #transforms = new Transforms();
  #connections = [];
  #negotiated = [];

  invite() {
    return writeInvite(CHANNEL, freshInvite());
  }

  /** One connection a person: to send with, and to receive from. */
  async start(options) {
    const { isMeasured, sound } = options;
    await this.#transforms.start(options);
    const tracks = [cameraTrack(isMeasured ? LARGE : SMALL), ...(sound ? [toneTrack()] : [])];
    const sendsBy = isMeasured ? [0] : Array.from({ length: PEOPLE }, (_, index) => index + 1);
    for (let index = 0; index <= PEOPLE; index += 1) {
      const connection = new RTCPeerConnection();
      this.#connections.push(connection);
      connection.ontrack = ({ receiver, track }) => {
        this.#transforms.receive(receiver, isMeasured ? personOf(index) : MEASURED, track.kind);
        const element = Object.assign(document.createElement(track.kind), { srcObject: new MediaStream([track]), muted: true });
        document.body.append(element);
        void element.play();
      };
      if (!sendsBy.includes(index)) continue;
      for (const track of tracks) {
        const { maxBitrate } = isMeasured ? LARGE : SMALL;
        const encodings = track.kind === "video" && { sendEncodings: [{ maxBitrate }] };
        const { sender } = connection.addTransceiver(track, { direction: "sendonly", ...encodings });
        this.#negotiated.push(this.#transforms.send(sender, isMeasured ? MEASURED : personOf(index), track.kind));
      }
    }
  }

  async offer(index) {
    const connection = this.#connections[index];
    await connection.setLocalDescription();
    return gathered(connection);
  }

  async answer(index, offer) {
    const connection = this.#connections[index];
    await connection.setRemoteDescription(offer);
    await connection.setLocalDescription();
    return gathered(connection);
  }

  async take(index, answer) {
    await this.#connections[index].setRemoteDescription(answer);
  }

  negotiated() {
    for (const tell of this.#negotiated) tell();
  }

  /** Frames of each kind that passed since the start, and bytes of pictures that were sent. */
  async frames() {
    const counts = { videoSent: 0, audioSent: 0, videoReceived: 0, audioReceived: 0, videoBytes: 0 };
    for (const connection of this.#connections) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type === "outbound-rtp" && stats.kind === "audio") counts.audioSent += stats.packetsSent;
        if (stats.type === "inbound-rtp" && stats.kind === "audio") counts.audioReceived += stats.packetsReceived;
        if (stats.type === "inbound-rtp" && stats.kind === "video") counts.videoReceived += stats.framesDecoded;
        if (stats.type !== "outbound-rtp" || stats.kind !== "video") continue;
        counts.videoSent += stats.framesSent;
        counts.videoBytes += stats.bytesSent;
      }
    }
    return counts;
  }
}

function gathered(connection) {
  return new Promise((resolve) => {
    const look = () => connection.iceGatheringState === "complete" && resolve(connection.localDescription.toJSON());
    connection.onicegatheringstatechange = look;
    look();
  });
}

window.side = new Side();
