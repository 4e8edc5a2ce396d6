import { VoiceError } from "../errors";
import type { E2eeMessage } from "../generated";
import { StateMachine, type VoiceState } from "../state-machine";
import type { Encryption } from "../e2ee/encryption";
import type { EncryptionOptions, Notice, VoiceOptions, VoiceSnapshot } from "../types";
import type { Permissions, Resumed, Source } from "../payloads";
import { Admission } from "./admission";
import { Connection } from "./connection";
import { DataMessages } from "./data-messages";
import { deviceIdOfProfile } from "./device-id";
import type { Emit } from "./emit";
import { Measuring } from "./measuring";
import type { Direction, Media } from "./media";
import { Microphone } from "./microphone";
import { OwnTracks } from "./own-tracks";
import { OwnVideo } from "./own-video";
import { OwnVoice } from "./own-voice";
import { Presence } from "./presence";
import { Publisher } from "./publisher";
import { Receiver } from "./receiver";
import { Reports } from "./reports";
import { Room } from "./room";
import type { ServerEvent } from "./signaling";
import { describeCall } from "./snapshot";
import { share } from "./share";
import { Speakers } from "./speakers";
import { VideoSlots, type VideoSource } from "./video-slots";

/** Taken off everything that is played when the microphone hears it. */
const FEEDBACK_CUT = 0.3;

/** The parts of a call and how they act on each other: what the server says, what devices and network do. */
export class Call {
  readonly room = new Room();
  readonly connection: Connection;
  readonly microphone: Microphone;
  readonly publisher: Publisher;
  readonly slots: VideoSlots;
  readonly presence: Presence;
  readonly data: DataMessages;
  readonly speakers: Speakers;
  readonly video: OwnVideo;
  readonly voice: OwnVoice;
  readonly tracks: OwnTracks;
  readonly measured: Measuring;
  receiver: Receiver | null = null;
  #admission: Admission;
  #reports: Reports;
  #state: StateMachine;
  #deafened = false;
  /** The microphone while it is being opened for a join. */
  #opening: Promise<unknown> = Promise.resolve();
  #snapshot: VoiceSnapshot | null = null;
  #told: VoiceSnapshot | null = null;
  #changeQueued = false;

  constructor(
    { url, token, deviceId = deviceIdOfProfile() }: VoiceOptions,
    private readonly emit: Emit,
  ) {
    const changed = () => this.changed();
    const isAllowed = (source: VideoSource) => this.isAllowed(source);
    this.#state = new StateMachine((state, before) => {
      emit("state", { state, before });
      if (state === "DISCONNECTED") this.presence.useOwn();
      changed();
    });
    this.speakers = new Speakers(() => emit("playbackBlocked", undefined));
    this.microphone = new Microphone({
      levels: (levels) => {
        emit("inputLevel", levels);
        this.measured.microphone(levels);
        this.voice.heard(levels);
      },
      track: (track) =>
        void this.publisher.replaceMicTrack(track).catch((error) => this.failed("mic", error)),
      silenced: changed,
      lost: () => this.#notice({ kind: "microphoneLost" }),
    });
    const failed = (error: VoiceError) => this.connection.end(error);
    const send = (message: E2eeMessage) => this.connection.request("voice:e2ee:message", message);
    this.#admission = new Admission({ emit, changed, send, failed });
    const identity = { url, deviceId, token: async () => (typeof token === "function" ? token() : token) };
    this.connection = new Connection(identity, this.#state, {
      offer: () => this.#admission.offer(),
      admitted: (answer) => this.#admission.admit(answer),
      joined: (joined) => {
        this.room.enter(joined);
        this.room.isDm = joined.dm ?? false;
        const { isDm } = this.room;
        const stay = { sessionId: joined.sessionId, isDm, token: this.connection.token };
        this.encryption?.enter(stay, this.room.people);
        this.presence.useCall(this.connection.request);
        changed();
      },
      opened: (media) => this.#onOpened(media),
      resumed: (resumed) => this.#onResumed(resumed),
      interrupted: () => this.#onInterrupted(),
      renewing: (direction) => this.#onRenewing(direction),
      renewed: (media, direction) => this.#onRenewed(media, direction),
      mediaState: (media) => {
        emit("media", media);
        changed();
      },
      event: (event) => this.#onEvent(event),
      ended: (error) => this.#onEnded(error),
      sent: () => this.publisher.sent,
    });
    const { request } = this.connection;
    this.#reports = new Reports(request, emit);
    this.presence = new Presence(() => this.connection.connect(), {
      changed,
      ringing: (ring) => emit("ringing", ring),
      ringEnded: (end) => emit("ringEnded", end),
    });
    const cipher = () => this.encryption?.data ?? null;
    this.data = new DataMessages(request, (data) => emit("data", data), cipher);
    this.slots = new VideoSlots(request);
    this.publisher = new Publisher(request, this.microphone, this.slots, {
      changed: () => {
        this.#state.apply("sourcesChanged", this.publisher.sent);
        changed();
      },
      ended: (source, captured) => {
        // The browser's own "stop sharing" ends a screen in the same way.
        if (source === "camera" && captured) this.#notice({ kind: "cameraLost" });
        void (source === "screenAudio" ? this.publisher.stopSource(source) : this.video.set(source, false));
      },
      micEnded: () => {
        this.#notice({ kind: "microphoneLost" });
        void this.tracks.unpublish("mic", true);
      },
      failed: (source, error) => this.failed(source, error),
    });
    this.video = new OwnVideo(this.publisher, this.slots, {
      emit,
      changed,
      isAllowed,
      offered: () => this.reportUpgrade("upgrade_cta_shown"),
    });
    this.voice = new OwnVoice(this.publisher, {
      changed,
      switched: () => this.#tellState(),
      speaks: (speaking) => {
        if (!this.connection.media) return false;
        request("voice:state:update", { speaking }).catch(() => undefined);
        return true;
      },
    });
    this.tracks = new OwnTracks(this.publisher, this.voice, this.video, { emit, isAllowed });
    this.measured = new Measuring(request, this.speakers, {
      changed,
      stats: (stats) => emit("stats", stats),
      plan: (plan) => void this.publisher.apply(plan),
      levels: (levels) => emit("levels", levels),
      feedback: () => {
        this.speakers.duck = 1 - FEEDBACK_CUT;
        this.#notice({ kind: "feedback" });
      },
      expected: () => this.receiver?.expected() ?? [],
      refused: (event, error) => this.#reports.refused(event, error),
    });
  }

  /** The same object until something of it is another; so is each part of it. */
  get snapshot(): VoiceSnapshot {
    const next = describeCall(this);
    return (this.#snapshot = this.#snapshot ? share(this.#snapshot, next) : next);
  }

  get state(): VoiceState {
    return this.#state.state;
  }

  get deafened(): boolean {
    return this.#deafened;
  }

  /** Of a call that is encrypted from end to end. */
  get encryption(): Encryption | null {
    return this.#admission.encryption;
  }

  /** Before a join. The microphone is opened while the server answers, so that the first word is not late. */
  prepare(channelId: string, muted: boolean, encryption?: EncryptionOptions): void {
    this.#admission.prepare(channelId, encryption);
    this.#deafened = this.speakers.deafened = false;
    this.publisher.muted = this.publisher.wantsMuted = muted;
    this.#opening = muted ? Promise.resolve() : this.microphone.open();
    this.#opening.catch((error: unknown) => this.failed("mic", error));
  }

  isAllowed(source: VideoSource): boolean {
    const { permissions } = this.room;
    return (source === "camera" ? permissions?.video : permissions?.screenshare) ?? false;
  }

  setDeafened(deafened: boolean): void {
    this.#deafened = deafened;
    if (this.receiver) this.receiver.deafened = deafened;
    else this.speakers.deafened = deafened;
    this.changed();
  }

  reportUpgrade(name: "upgrade_cta_shown" | "upgrade_cta_clicked" | "upgraded"): void {
    this.#reports.send("voice:ui:event", { name });
  }

  #tellState(): void {
    this.#reports.send("voice:state:update", { muted: this.publisher.muted, deafened: this.#deafened });
  }

  async #onOpened(media: Media): Promise<void> {
    const { permissions } = this.room;
    if (!permissions) return;
    this.#receive(media);
    this.measured.start(media);
    this.#send(media, permissions);
  }

  #receive(media: Media): void {
    this.receiver = new Receiver(media, this.connection.request, this.room, this.speakers, {
      changed: () => this.changed(),
      failed: (source, error) => this.#notice({ kind: "receiveFailed", sessionId: source.sessionId, error }),
    });
    if (this.#deafened) this.receiver.deafened = true;
    this.receiver.sync();
  }

  #send(media: Media, permissions: Permissions): void {
    // The user may still be asked for the microphone; the others are heard meanwhile.
    const sending = this.publisher
      .attach(media, permissions, this.#opening)
      .catch(() => undefined)
      .then(() => {
        if (this.publisher.muted || this.#deafened) this.#tellState();
        this.changed();
      });
    this.voice.begin(sending);
  }

  /** The server closes what went over the old transport; it must not take that for the user's devices. */
  #onRenewing(direction: Direction): void {
    if (direction === "send") {
      this.publisher.detach();
    } else {
      this.#closeReceiver();
    }
  }

  #closeReceiver(): void {
    this.receiver?.close();
    this.receiver = null;
  }

  #onRenewed(media: Media, direction: Direction): void {
    const { permissions } = this.room;
    if (direction === "recv") this.#receive(media);
    else if (permissions) this.#send(media, permissions);
    this.changed();
  }

  async #onResumed(resumed: Resumed): Promise<void> {
    if ((resumed.encryption === "endToEnd") !== (this.encryption !== null)) return this.#onOtherEncryption(resumed);
    this.room.enter(resumed);
    this.encryption?.people(this.room.people);
    this.slots.restore(resumed.queue);
    this.receiver?.keepOnly(new Set(resumed.consumers.map(({ consumerId }) => consumerId)));
    this.receiver?.sync();
    this.publisher.setPermissions(resumed.permissions);
    this.presence.useCall(this.connection.request);
    // The server forgets the old token with the first request, so there is always one.
    await this.publisher.reconcile(resumed.producers).finally(() => this.#tellState());
    this.changed();
  }

  /** A session's encryption never changes; a server that says so is not believed. */
  #onOtherEncryption({ encryption }: Resumed): void {
    const details = { encryption: encryption ?? "transport" };
    this.connection.end(new VoiceError("E2EE_DOWNGRADED", "the encryption changed", details, true));
  }

  #onInterrupted(): void {
    this.measured.stop();
    this.#closeReceiver();
    this.publisher.detach();
    this.slots.clear();
    this.room.participants.clear();
    this.changed();
  }

  #onEnded(error: VoiceError): void {
    this.stopLocally();
    this.room.leave();
    this.emit("ended", error);
    this.changed();
  }

  stopLocally(): void {
    this.measured.stop();
    this.#closeReceiver();
    this.publisher.stop();
    this.speakers.stopAll();
    this.speakers.duck = 1;
    this.#admission.close();
    this.slots.clear();
    this.measured.forget();
    this.video.abandon();
    this.#opening = Promise.resolve();
    this.voice.reset();
  }

  #onEvent(event: ServerEvent): void {
    if (event.name === "voice:e2ee:message") return this.encryption?.message(event.payload);
    const wasRoom = this.room.apply(event);
    this.presence.onEvent(event);
    this.data.onEvent(event);
    switch (event.name) {
      case "voice:producerClosed":
        this.publisher.closedByServer(event.payload.producerId);
        break;
      case "voice:producerLayers":
        this.publisher.setLayers(event.payload.producerId, event.payload.maxSpatialLayer);
        break;
      case "voice:consumerClosed":
        this.receiver?.consumerClosed(event.payload.consumerId);
        break;
      case "voice:consumerLayers":
        this.receiver?.layersChanged(event.payload.consumerId, event.payload.layers);
        break;
      case "voice:permissions":
        this.#onPermissions(event.payload.permissions, event.payload.reason);
        break;
      case "voice:video:queue":
        this.slots.moved(event.payload);
        this.changed();
        break;
      case "voice:video:granted":
        this.#onGranted(event.payload.source);
        break;
      case "voice:muted":
        this.publisher.muteNow();
        this.#tellState();
        this.#notice({ kind: "mutedByServer", reason: event.payload.reason });
        break;
      case "voice:kicked": {
        const { reason, until } = event.payload;
        this.connection.end(
          new VoiceError("PERMISSION_DENIED", `kicked: ${reason}`, { reason, until }, true),
        );
        break;
      }
    }
    if (!wasRoom) return;
    if (event.name.startsWith("voice:participant:")) this.encryption?.people(this.room.people);
    this.receiver?.sync();
    this.changed();
  }

  #onPermissions(permissions: Permissions, reason: string): void {
    this.publisher.setPermissions(permissions);
    if (reason === "expired" || reason === "revoked") this.#notice({ kind: "proEnded", reason });
    if (reason === "upgraded") {
      this.#notice({ kind: "upgraded" });
      this.reportUpgrade("upgraded");
    }
    for (const source of ["camera", "screen"] as const) {
      if (!this.isAllowed(source)) void this.video.set(source, false);
    }
  }

  /** A camera comes on by itself; a screen needs a click, because browsers ask the user which one. */
  #onGranted(source: VideoSource): void {
    this.slots.granted(source);
    this.changed();
    if (source === "screen") this.#notice({ kind: "slotGranted", source });
    else void this.video.set("camera", true).catch((error: unknown) => this.failed("camera", error));
  }

  failed(source: Source, error: unknown): void {
    const failure = VoiceError.from(error);
    if (failure.code !== "CANCELLED") {
      // It looks open, and nobody would hear it. Unmuting tries again.
      if (source === "mic" && !this.publisher.isSending("mic")) this.publisher.muteNow();
      this.#notice({ kind: "sourceFailed", source, error: failure });
    }
    this.changed();
  }

  #notice(notice: Notice): void {
    this.emit("notice", notice);
  }

  /** One event for all that happens at once. */
  changed(): void {
    if (this.#changeQueued) return;
    this.#changeQueued = true;
    queueMicrotask(() => {
      this.#changeQueued = false;
      const { snapshot } = this;
      if (snapshot === this.#told) return;
      this.emit("change", (this.#told = snapshot));
    });
  }
}
