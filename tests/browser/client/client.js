/**
 * A client of the contract, independent of the page that the server ships: npm's mediasoup-client and
 * socket.io-client as they are, and meters for what arrives.
 */
import { Device } from "mediasoup-client";
import { Encryption } from "../../../control-plane/web/sdk/src/e2ee/encryption.ts";
import { io } from "socket.io-client";
import { ColourMeter, ToneMeter } from "./meters.js";
import { requestByAck, requestByReplyEvent } from "./requests.js";
import { colourTrack, grainTrack, toneTrack } from "./sources.js";
import { microphoneTrack, RecordedToneMeter } from "./without-speakers.js";

class Client {
  audio = new AudioContext({ sampleRate: 48_000 });
  /** Every event of the server: `{name, at, payload}`, `at` in milliseconds since 1970. */
  events = [];
  /** By producer id: what we receive. */
  received = new Map();
  producers = {};
  failures = [];

  async join(options) {
    const joined = await this.joinOnly(options);
    this.recv = await this.#openTransport("recv", joined.rtcConfig);

    this.socket.on("voice:newProducer", (producer) => this.#consume(producer, producer.producerId));
    this.socket.on("voice:producerClosed", ({ producerId }) => this.#drop(producerId));
    for (const participant of joined.participants) {
      if (participant.userId === this.userId) continue;
      for (const { producerId } of participant.producers) this.#consume(participant, producerId);
    }
    return { sessionId: joined.sessionId, permissions: joined.permissions, media: this.candidates };
  }

  /**
   * To send, and to receive nothing. `ports`: others in place of the server's media ports. `e2ee`: the SDK's frames,
   * whatever the server answers: `{invite, worker}`, the latter a script. Without an invite nothing is encrypted, and
   * what comes goes to the decoders as it is.
   */
  async joinOnly({ userId, token, mode, channel, speakers, ports, e2ee }) {
    Object.assign(this, { userId, speakers, ports });
    this.socket = io({ auth: { token }, transports: ["websocket"], reconnection: false });
    this.socket.onAny((name, payload) => this.events.push({ name, at: Date.now(), payload }));
    this.socket.on("disconnect", (reason) =>
      this.events.push({ name: "disconnect", at: Date.now(), payload: reason }),
    );
    await new Promise((resolve, reject) => {
      this.socket.once("connect", resolve);
      this.socket.once("connect_error", reject);
    });
    this.request = mode === "ack" ? requestByAck(this.socket) : requestByReplyEvent(this.socket);

    if (e2ee?.invite) await this.#encrypt(channel, e2ee);
    const offer = e2ee && { e2ee: { version: 1, suites: [4, 5] } };
    const joined = await this.request("voice:join", { channelId: channel, ...offer });
    this.sessionId = joined.sessionId;
    this.encryption?.enter({ sessionId: joined.sessionId, isDm: false, token: "" }, []);
    this.rtcConfig = joined.rtcConfig;
    const { rtpCapabilities } = await this.request("voice:rtc:getRouterRtpCapabilities");
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilities });
    this.send = await this.#openTransport("send", joined.rtcConfig);
    return joined;
  }

  async #encrypt(channel, { invite, worker }) {
    const script = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    const handlers = {
      changed: () => undefined,
      inviteNeeded: () => undefined,
      inviteCreated: () => undefined,
      failed: (error) => this.failures.push(String(error)),
    };
    this.encryption = new Encryption(channel, { rotate: false }, handlers, new Worker(script));
    await this.encryption.use(invite);
  }

  /** As the transport's, encrypted if the call is. */
  async #produce(options) {
    const { encryption } = this;
    if (!encryption) return this.send.produce(options);
    let transform = null;
    const producer = await this.send.produce({
      ...options,
      onRtpSender: (sender) => {
        transform = encryption.seal(sender, options.appData.source);
        options.onRtpSender?.(sender);
      },
    });
    encryption.sealed(producer.rtpSender, transform, producer.rtpParameters);
    return producer;
  }

  async publishTone(hertz, source = "mic") {
    this.producers[source] = await this.#produce({
      track: this.speakers ? toneTrack(this.audio, hertz) : await microphoneTrack(),
      codecOptions: { opusStereo: false, opusDtx: true, opusFec: true },
      appData: { source },
    });
    return this.producers[source].id;
  }

  /**
   * A camera in one colour. `mimeType`: a codec other than the room's first; `startBitrate`: in kbit/s;
   * `moving`: coded as film, not as text. `grain`: the width of a picture of grain in place of the colour, which
   * takes the whole bitrate.
   */
  async publishColour(colour, { mimeType, encodings, startBitrate, moving, grain } = {}) {
    const codec = mimeType && this.device.sendRtpCapabilities.codecs.find((it) => it.mimeType === mimeType);
    if (mimeType && !codec) throw new Error(`this browser does not send ${mimeType}`);
    this.producers.camera = await this.#produce({
      track: grain ? grainTrack(grain) : colourTrack(colour, moving),
      encodings: encodings ?? [{ maxBitrate: 1_000_000 }],
      codec,
      codecOptions: startBitrate && { videoGoogleStartBitrate: startBitrate },
      appData: { source: "camera" },
      onRtpSender: moving && keepResolution,
    });
    return this.producers.camera.id;
  }

  /** What is received of a user's camera; undefined before it plays. */
  cameraOf(userId) {
    return [...this.received.values()].find((item) => item.userId === userId && item.colour);
  }

  prefer(userId, layers) {
    const consumerId = this.cameraOf(userId).consumer.id;
    return this.request("voice:rtc:setPreferredLayers", { consumerId, ...layers });
  }

  /** The frames of a user's camera since then: `{at, width}`, `at` in milliseconds since 1970. */
  frames(userId, since) {
    return this.cameraOf(userId)?.colour.framesSince(since) ?? [];
  }

  /** What the browser says of a user's camera: the inbound stream's statistics and the codec in use. */
  async videoStats(userId) {
    const stats = await this.cameraOf(userId).consumer.getStats();
    const stream = [...stats.values()].find(({ type }) => type === "inbound-rtp");
    return { ...stream, mimeType: stats.get(stream.codecId)?.mimeType };
  }

  /** What the browser says of a user's microphone: the inbound stream's statistics. */
  async audioStats(userId) {
    const mine = [...this.received.values()].find((item) => item.userId === userId && item.tone);
    const stats = await mine.consumer.getStats();
    return [...stats.values()].find(({ type }) => type === "inbound-rtp");
  }

  /** What the browser says of a transport: its connection, and the streams that it sends and receives. */
  async transportStats(direction) {
    return [...(await this[direction].getStats()).values()];
  }

  /** The SDP that this browser answered the server's media with. */
  answered() {
    return this.recv.handler._pc.localDescription.sdp;
  }

  /** Tells the server to pause or resume, and leaves the sending side running: the server must stop it. */
  setPaused(source, paused) {
    const name = paused ? "voice:rtc:pauseProducer" : "voice:rtc:resumeProducer";
    return this.request(name, { producerId: this.producers[source].id });
  }

  async closeProducer(source) {
    const producer = this.producers[source];
    await this.request("voice:rtc:closeProducer", { producerId: producer.id });
    producer.close();
  }

  /** What is received of a user: the tone and colour since then, and the producers it comes from. */
  measure(userId, since) {
    const result = { tone: null, colour: null, frames: 0, sources: [], lastLoudAt: 0 };
    for (const item of this.received.values()) {
      if (item.userId !== userId) continue;
      result.sources.push(item.source);
      if (item.tone)
        Object.assign(result, { tone: item.tone.heardSince(since), lastLoudAt: item.tone.lastLoudAt });
      if (item.colour) Object.assign(result, item.colour.seenSince(since));
    }
    result.sources.sort();
    return result;
  }

  /** What others may check: who is received, and whether both connections stand. */
  describe() {
    return {
      received: [...this.received.values()].map(({ userId, source }) => `${userId} ${source}`).sort(),
      connections: [this.send?.connectionState, this.recv?.connectionState],
      failures: this.failures,
    };
  }

  /** Asks for another transport of a direction: `{id}`, or the code of the refusal. */
  async createTransport(direction) {
    const asked = this.request("voice:rtc:createTransport", { direction });
    return asked.then(({ id }) => ({ id }), ({ code }) => ({ code }));
  }

  /** Another transport in place of one that does not connect, and what it received anew; gives its id. */
  async replaceTransport(direction) {
    const before = this[direction];
    this[direction] = await this.#openTransport(direction, this.rtcConfig);
    before.close();
    if (direction === "recv") {
      for (const [producerId, sender] of [...this.received]) {
        this.#drop(producerId);
        this.#consume(sender, producerId);
      }
    }
    return this[direction].id;
  }

  async #openTransport(direction, { iceServers, iceTransportPolicy }) {
    const options = await this.request("voice:rtc:createTransport", { direction });
    for (const candidate of options.iceCandidates) candidate.port = this.ports?.[candidate.port] ?? candidate.port;
    this.candidates ??= options.iceCandidates;
    const open = direction === "send" ? "createSendTransport" : "createRecvTransport";
    const transport = this.device[open]({ ...options, iceServers, iceTransportPolicy });
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      this.request("voice:rtc:connectTransport", { transportId: transport.id, dtlsParameters }).then(
        done,
        failed,
      );
    });
    transport.on("produce", ({ kind, rtpParameters, appData }, done, failed) => {
      this.request("voice:rtc:produce", { transportId: transport.id, kind, rtpParameters, appData }).then(
        done,
        failed,
      );
    });
    return transport;
  }

  async #consume({ userId, sessionId }, producerId) {
    const item = { userId, sessionId, source: null };
    this.received.set(producerId, item);
    const gone = () => this.received.get(producerId) !== item;
    try {
      const reply = await this.request("voice:rtc:consume", {
        transportId: this.recv.id,
        producerId,
        rtpCapabilities: this.device.recvRtpCapabilities,
      });
      if (gone()) return;
      const { id, kind, rtpParameters, appData } = reply;
      const { source } = appData;
      const [{ mimeType }] = rtpParameters.codecs;
      const decrypt = (receiver) => this.encryption?.open(receiver, { sessionId, source }, mimeType);
      const consumer = await this.recv.consume({ id, producerId, kind, rtpParameters, onRtpReceiver: decrypt });
      if (gone()) return consumer.close();
      Object.assign(item, { source: appData.source, consumer });
      if (kind === "audio") {
        const { track } = consumer;
        item.tone = this.speakers ? new ToneMeter(this.audio, track) : new RecordedToneMeter(track);
      } else {
        item.colour = new ColourMeter(consumer.track);
        await this.request("voice:rtc:resumeConsumer", { consumerId: id });
      }
    } catch (error) {
      if (!gone()) this.failures.push(String(error.stack ?? error));
    }
  }

  #drop(producerId) {
    const item = this.received.get(producerId);
    if (!item) return;
    this.received.delete(producerId);
    item.consumer?.close();
    item.tone?.close();
    item.colour?.close();
  }
}

/** Or Chromium sends fewer pixels on a machine that is busy. */
async function keepResolution(sender) {
  await sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-resolution" });
}

window.client = new Client();
/** More people in one page. */
window.newClient = () => new Client();
/** A tone from the speakers, for others to capture. */
window.playTone = (hertz) => {
  const audio = new AudioContext();
  const track = toneTrack(audio, hertz);
  audio.createMediaStreamSource(new MediaStream([track])).connect(audio.destination);
};
