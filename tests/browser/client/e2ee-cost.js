/** A 720p camera and a microphone over two connections of one page, with the SDK's encryption or without. */
import { Encryption } from "../../../control-plane/web/sdk/src/e2ee/encryption.ts";
import { freshInvite, writeInvite } from "../../../control-plane/web/sdk/src/e2ee/invite.ts";

const CHANNEL = "cost";
const [WIDTH, HEIGHT, FRAME_RATE] = [1280, 720, 30];
const BITRATE = 1_500_000;
const SENDER = "s_sender";

/** A picture with enough detail in motion that the encoder needs its bitrate. */
function cameraTrack() {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d", { alpha: false });
  let frame = 0;
  setInterval(() => {
    frame += 1;
    context.fillStyle = `hsl(${frame % 360} 60% 50%)`;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    for (let mark = 0; mark < 60; mark += 1) {
      context.fillStyle = `hsl(${(mark * 53 + frame * 7) % 360} 80% 50%)`;
      context.fillRect((mark * 97 + frame * 9) % WIDTH, (mark * 61 + frame * 5) % HEIGHT, 60, 40);
    }
  }, 1000 / FRAME_RATE);
  return canvas.captureStream(FRAME_RATE).getVideoTracks()[0];
}

class Run {
  async start(worker) {
    const audio = new AudioContext();
    const output = audio.createMediaStreamDestination();
    const tone = new OscillatorNode(audio, { frequency: 500 });
    tone.connect(output);
    tone.start();
    this.tracks = [cameraTrack(), output.stream.getAudioTracks()[0]];
    const nothing = () => undefined;
    const handlers = { changed: nothing, inviteNeeded: nothing, inviteCreated: nothing, failed: nothing };
    if (worker) {
      const script = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
      this.encryption = new Encryption(CHANNEL, { rotate: false }, handlers, new Worker(script, { name: "railgun-e2ee" }));
      await this.encryption.use(await writeInvite(CHANNEL, freshInvite()));
      this.encryption.enter({ sessionId: SENDER, isDm: true, token: "" }, []);
    }
    const [near, far] = (this.connections = [new RTCPeerConnection(), new RTCPeerConnection()]);
    for (const [one, other] of [[near, far], [far, near]])
      one.onicecandidate = ({ candidate }) => candidate && other.addIceCandidate(candidate);
    far.ontrack = ({ receiver, track }) => {
      const isVideo = track.kind === "video";
      const of = { sessionId: SENDER, source: isVideo ? "camera" : "mic" };
      this.encryption?.open(receiver, of, isVideo ? "video/VP8" : "audio/opus");
      const element = Object.assign(document.createElement(track.kind), { srcObject: new MediaStream([track]), muted: true });
      document.body.append(element);
      void element.play();
    };
    for (const track of this.tracks) {
      const isVideo = track.kind === "video";
      const { sender } = near.addTransceiver(track, {
        direction: "sendonly",
        ...(isVideo && { sendEncodings: [{ maxBitrate: BITRATE }] }),
      });
      this.encryption?.seal(sender, isVideo ? "camera" : "mic");
    }
    await near.setLocalDescription();
    await far.setRemoteDescription(near.localDescription);
    await far.setLocalDescription();
    await near.setRemoteDescription(far.localDescription);
    const { codecs } = near.getSenders()[0].getParameters();
    if (codecs[0].mimeType !== "video/VP8") throw new Error(`it sends ${codecs[0].mimeType}`);
  }

  /** Frames that were sent and that were received, since the start. */
  async frames() {
    const counts = { sent: 0, received: 0, audioSent: 0, bytes: 0 };
    for (const stats of (await this.connections[0].getStats()).values()) {
      if (stats.type !== "outbound-rtp") continue;
      if (stats.kind === "video") Object.assign(counts, { sent: stats.framesEncoded, bytes: stats.bytesSent });
      else counts.audioSent = stats.packetsSent;
    }
    for (const stats of (await this.connections[1].getStats()).values())
      if (stats.type === "inbound-rtp" && stats.kind === "video") counts.received = stats.framesReceived;
    return counts;
  }
}

window.run = new Run();
