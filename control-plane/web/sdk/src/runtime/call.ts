import { VoiceError } from "../errors";
import type { InputLevels } from "../dsp/input-chain";
import { gradeWith, queueText } from "../quality";
import { StateMachine, type VoiceState } from "../state-machine";
import type { Encryption, EncryptionPolicy } from "../e2ee/encryption";
import type { EncryptionOptions, Notice, VoiceEvents, VoiceOptions, VoiceSnapshot } from "../types";
import type { Joined, Permissions, Resumed, Source } from "../payloads";
import { Connection } from "./connection";
import { DataMessages } from "./data-messages";
import { deviceIdOfProfile } from "./device-id";
import { encryptionSupport, hasSeenEncrypted } from "./encryption-support";
import type { Health } from "./health";
import type { Direction, Media } from "./media";
import { Microphone } from "./microphone";
import { Monitor } from "./monitor";
import { Presence } from "./presence";
import { Publisher } from "./publisher";
import { Receiver } from "./receiver";
import { type RemoteParticipant, Room } from "./room";
import type { ServerEvent } from "./signaling";
import { describeParticipant, describeVideo, isLoud } from "./snapshot";
import { share } from "./share";
import { Speakers } from "./speakers";
import type { CallStats } from "./stats";
import { Switch } from "./switch";
import { VideoSlots, type VideoSource } from "./video-slots";

/** Taken off everything that is played when the microphone hears it. */
const FEEDBACK_CUT = 0.3;
/** Between two words about whether we speak, in milliseconds. */
const SPEAKING_INTERVAL = 300;

const NOT_ENCRYPTED: VoiceSnapshot["encryption"] = { mode: "transport", code: null, verified: false };

export type Emit = <Name extends keyof VoiceEvents>(name: Name, event: VoiceEvents[Name]) => void;

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
  receiver: Receiver | null = null;
  /** Of a call that is encrypted from end to end. */
  encryption: Encryption | null = null;
  #policy: Promise<EncryptionPolicy> | null = null;
  #options: EncryptionOptions | undefined;
  #channelId = "";
  #state: StateMachine;
  #monitor: Monitor;
  #stats: CallStats | null = null;
  #levels = new Map<string, number>();
  #deafened = false;
  /** The microphone while it is being opened for a join. */
  #opening: Promise<unknown> = Promise.resolve();
  #videos = this.#switches();
  #health: Health = { people: new Map(), noSound: false };
  #snapshot: VoiceSnapshot | null = null;
  #told: VoiceSnapshot | null = null;
  #speaking = false;
  #micBusy: Promise<void> = Promise.resolve();
  #spoke = { said: false, at: 0 };
  #changeQueued = false;

  constructor(
    { url, token, deviceId = deviceIdOfProfile() }: VoiceOptions,
    private readonly emit: Emit,
  ) {
    this.#state = new StateMachine((state, before) => {
      emit("state", { state, before });
      if (state === "DISCONNECTED") this.presence.useOwn();
      this.changed();
    });
    this.speakers = new Speakers(() => emit("playbackBlocked", undefined));
    this.microphone = new Microphone({
      levels: (levels) => this.#onLevels(levels),
      track: (track) =>
        void this.publisher.replaceMicTrack(track).catch((error) => this.failed("mic", error)),
      lost: () => this.#notice({ kind: "microphoneLost" }),
    });
    const identity = { url, deviceId, token: async () => (typeof token === "function" ? token() : token) };
    this.connection = new Connection(identity, this.#state, {
      offer: async () => {
        (await this.#policy)?.check();
        return encryptionSupport();
      },
      admitted: (answer) => this.#admit(answer),
      joined: (joined) => {
        this.room.enter(joined);
        this.room.isDm = joined.dm ?? false;
        this.encryption?.enter(joined.sessionId, [...this.room.participants.values()]);
        this.presence.useCall(this.connection.request);
        this.changed();
      },
      opened: (media) => this.#onOpened(media),
      resumed: (resumed) => this.#onResumed(resumed),
      interrupted: () => this.#onInterrupted(),
      renewing: (direction) => this.#onRenewing(direction),
      renewed: (media, direction) => this.#onRenewed(media, direction),
      mediaState: (media) => {
        emit("media", media);
        this.changed();
      },
      event: (event) => this.#onEvent(event),
      ended: (error) => this.#onEnded(error),
      sent: () => this.publisher.sent,
    });
    const { request } = this.connection;
    this.presence = new Presence(() => this.connection.connect(), {
      changed: () => this.changed(),
      ringing: (ring) => emit("ringing", ring),
      ringEnded: (end) => emit("ringEnded", end),
    });
    this.data = new DataMessages(
      request,
      (data) => emit("data", data),
      () => this.encryption !== null,
    );
    this.slots = new VideoSlots(request);
    this.publisher = new Publisher(request, this.microphone, this.slots, {
      changed: () => this.#onSourcesChanged(),
      ended: (source, captured) => {
        // The browser's own "stop sharing" ends a screen in the same way.
        if (source === "camera" && captured) this.#notice({ kind: "cameraLost" });
        void (source === "screenAudio" ? this.publisher.stopSource(source) : this.setVideo(source, false));
      },
      micEnded: () => {
        this.#notice({ kind: "microphoneLost" });
        void this.unpublish("mic", true);
      },
    });
    this.#monitor = new Monitor(request, this.speakers, {
      stats: (stats) => {
        this.#stats = { ...stats, grade: gradeWith(stats.grade, this.#health) };
        emit("stats", this.#stats);
        this.changed();
      },
      plan: (plan) => void this.publisher.apply(plan),
      levels: (levels) => this.#onRemoteLevels(levels),
      feedback: () => this.#onFeedback(),
      expected: () => this.receiver?.expected() ?? [],
      health: (health) => {
        this.#health = health;
        this.changed();
      },
      refused: (event, error) => this.#refused(event, error),
    });
  }

  /** The same object until something of it is another; so is each part of it. */
  get snapshot(): VoiceSnapshot {
    const next = this.#describe();
    return (this.#snapshot = this.#snapshot ? share(this.#snapshot, next) : next);
  }

  #describe(): VoiceSnapshot {
    const { channelId, isDm, sessionId, permissions, limits, participants, activeSpeaker } = this.room;
    // What the server last said of who speaks is old while neither it nor their sound is heard.
    const isCurrent = this.state !== "RESUMING" && this.connection.mediaState !== "interrupted";
    const now = (remote: RemoteParticipant) => (isCurrent ? remote : { ...remote, speaking: false });
    const video = (source: VideoSource) =>
      describeVideo(source, this.publisher, this.slots, this.#videos[source].isTurningOn, this.isAllowed(source));
    return {
      state: this.state,
      media: this.connection.mediaState,
      channelId,
      isDm,
      sessionId,
      permissions,
      limits,
      encryption: channelId === null ? null : (this.encryption?.snapshot ?? NOT_ENCRYPTED),
      muted: this.publisher.muted,
      deafened: this.#deafened,
      speaking: this.#speaking && !this.publisher.muted,
      camera: video("camera"),
      screen: video("screen"),
      participants: [...participants.values()].map((remote) =>
        describeParticipant(
          now(remote),
          this.receiver,
          this.speakers,
          this.#levels.get(remote.sessionId),
          this.#health.people.get(remote.sessionId),
          this.encryption?.of(remote.sessionId) ?? null,
        ),
      ),
      activeSpeaker,
      channels: this.presence.channels,
      rings: this.presence.rings,
      stats: this.#stats,
      noSound: this.#health.noSound,
      cpuLimited: this.#stats?.cpuLimited ?? false,
      devices: {
        microphone: this.microphone.deviceId,
        camera: this.publisher.cameraId,
        speaker: this.speakers.deviceId,
      },
    };
  }

  get state(): VoiceState {
    return this.#state.state;
  }

  get deafened(): boolean {
    return this.#deafened;
  }

  /** Before a join. The microphone is opened while the server answers, so that the first word is not late. */
  prepare(channelId: string, muted: boolean, encryption?: EncryptionOptions): void {
    this.#options = encryption;
    this.#channelId = channelId;
    const isDemanded = encryption === "required" || encryption?.invite !== undefined;
    this.#policy = isDemanded || hasSeenEncrypted() ? this.#loadPolicy() : null;
    this.#deafened = this.speakers.deafened = false;
    this.publisher.muted = this.publisher.wantsMuted = muted;
    this.#opening = muted ? Promise.resolve() : this.microphone.open();
    this.#opening.catch((error: unknown) => {
      this.publisher.muted = this.publisher.wantsMuted = true;
      this.failed("mic", error);
    });
  }

  async #loadPolicy(): Promise<EncryptionPolicy> {
    const { EncryptionPolicy } = await import("../e2ee/encryption");
    return new EncryptionPolicy(this.#channelId, this.#options);
  }

  /** What is encrypted from end to end, and never less than the policy asks for. */
  async #admit(answer: Joined["encryption"] | undefined): Promise<Encryption | null> {
    // Nobody asked for it, and this profile never had it.
    if (answer !== "endToEnd" && !this.#policy) return null;
    const policy = await (this.#policy ??= this.#loadPolicy());
    const isEncrypted = policy.decide(answer);
    if (!isEncrypted) {
      this.encryption?.close();
      return (this.encryption = null);
    }
    const encryption = this.encryption ?? (await this.#encrypt());
    // It was left meanwhile; the connection sees that too.
    if (!this.#policy) encryption.close();
    else this.encryption = encryption;
    return encryption;
  }

  async #encrypt(): Promise<Encryption> {
    const { Encryption } = await import("../e2ee/encryption");
    return Encryption.start(this.#channelId, this.#options, {
      changed: () => this.changed(),
      inviteNeeded: (event) => this.emit("inviteNeeded", event),
      inviteCreated: (event) => this.emit("inviteCreated", event),
      failed: (error) => this.connection.end(error),
    });
  }

  isAllowed(source: VideoSource): boolean {
    const { permissions } = this.room;
    return (source === "camera" ? permissions?.video : permissions?.screenshare) ?? false;
  }

  /** On, on its way there, in the queue, or our turn. */
  wantsVideo(source: VideoSource): boolean {
    const { slots, publisher } = this;
    return this.#videos[source].isTurningOn || publisher.isSending(source) || slots.place(source) !== null;
  }

  /** Whether it is sent afterwards. */
  setVideo(source: VideoSource, on: boolean): Promise<boolean> {
    const change = this.#videos[source].set(on);
    this.changed();
    const changed = () => this.changed();
    change.then(changed, changed);
    return change;
  }

  #switches(): Record<VideoSource, Switch> {
    const of = (source: VideoSource) =>
      new Switch(
        (isWanted) => this.#startVideo(source, isWanted),
        () => this.#stopVideo(source),
      );
    return { camera: of("camera"), screen: of("screen") };
  }

  async #startVideo(source: VideoSource, isWanted: () => boolean): Promise<boolean> {
    const { slots, publisher } = this;
    if (publisher.isSending(source)) return true;
    if (!this.isAllowed(source)) {
      this.emit("upgradeNeeded", { source });
      this.reportUpgrade("upgrade_cta_shown");
      return false;
    }
    try {
      if (!(await slots.request(source))) {
        const place = slots.place(source);
        if (place) this.#notice({ kind: "queued", source, text: queueText(place) });
        return false;
      }
      if (isWanted() && (await publisher.start(source, isWanted))) {
        slots.used(source);
        return true;
      }
      await slots.release(source);
      return false;
    } catch (thrown) {
      await slots.release(source);
      const error = VoiceError.from(thrown);
      if (error.code === "CAPABILITY_REQUIRED") this.emit("upgradeNeeded", { source });
      throw error;
    }
  }

  async #stopVideo(source: VideoSource): Promise<void> {
    const { slots, publisher } = this;
    if (slots.place(source) || slots.isGranted(source)) await slots.release(source);
    await publisher.stopSource(source);
  }

  /** What is asked for last holds: an unmute that waits for the user's permission ends with a mute. */
  setMuted(muted: boolean): Promise<boolean> {
    const { publisher } = this;
    if (muted) publisher.muteNow();
    else publisher.wantsMuted = false;
    return this.#mic(async () => {
      if (publisher.wantsMuted !== muted) return;
      await publisher.setMuted(muted).catch((error: unknown) => {
        publisher.muted = publisher.wantsMuted = true;
        throw error;
      });
      this.tellState();
    });
  }

  /** In place of what would be captured. Whether it is sent. */
  async publish(source: Source, track: MediaStreamTrack): Promise<boolean> {
    const { publisher } = this;
    if (source === "mic") return !(await this.#mic(() => publisher.give("mic", track)));
    await publisher.give(source, track);
    if (source !== "screenAudio") return publisher.isSending(source) || this.setVideo(source, true);
    if (!this.isAllowed("screen")) {
      this.emit("upgradeNeeded", { source: "screen" });
      return false;
    }
    if (!publisher.isSending(source)) await publisher.startTrack(source, track);
    return true;
  }

  async unpublish(source: Source, mute = false): Promise<void> {
    if (source === "camera" || source === "screen") return void (await this.setVideo(source, false));
    if (source === "screenAudio") return this.publisher.stopSource(source);
    if (mute) void this.setMuted(true);
    await this.#mic(() => this.publisher.give("mic", null));
  }

  /** One after the other. Whether the microphone is off afterwards. */
  #mic(change: () => Promise<void>): Promise<boolean> {
    const changed = this.#micBusy.then(change);
    this.#micBusy = changed.catch(() => undefined);
    return changed.then(() => this.publisher.muted);
  }

  setDeafened(deafened: boolean): void {
    this.#deafened = deafened;
    if (this.receiver) this.receiver.deafened = deafened;
    else this.speakers.deafened = deafened;
    this.changed();
  }

  reportUpgrade(name: "upgrade_cta_shown" | "upgrade_cta_clicked" | "upgraded"): void {
    this.connection
      .request("voice:ui:event", { name })
      .catch((error: unknown) => this.#refused("voice:ui:event", error));
  }

  tellState(): void {
    const { muted } = this.publisher;
    this.connection
      .request("voice:state:update", { muted, deafened: this.#deafened })
      .catch((error: unknown) => this.#refused("voice:state:update", error));
  }

  /** Nobody waits for the answer, so that a refusal would be lost. */
  #refused(event: string, thrown: unknown): void {
    const error = VoiceError.from(thrown);
    if (!error.isTemporary && error.code !== "CANCELLED") this.emit("requestRefused", { event, error });
  }

  async #onOpened(media: Media): Promise<void> {
    const { permissions } = this.room;
    if (!permissions) return;
    this.#receive(media);
    this.#monitor.start(media);
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
    this.#micBusy = this.publisher
      .attach(media, permissions, this.#opening)
      .catch((error: unknown) => this.failed("mic", error))
      .then(() => {
        if (this.publisher.muted || this.#deafened) this.tellState();
        this.changed();
      });
  }

  /** The server closes what went over the old transport; it must not take that for the user's devices. */
  #onRenewing(direction: Direction): void {
    if (direction === "send") {
      this.publisher.detach();
    } else {
      this.receiver?.close();
      this.receiver = null;
    }
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
    this.encryption?.people([...this.room.participants.values()]);
    this.slots.restore(resumed.queue);
    this.receiver?.keepOnly(new Set(resumed.consumers.map(({ consumerId }) => consumerId)));
    this.receiver?.sync();
    this.publisher.setPermissions(resumed.permissions);
    // The server forgets the old token with the first request, so there is always one.
    this.tellState();
    this.presence.useCall(this.connection.request);
    await this.publisher.reconcile(resumed.producers);
    this.changed();
  }

  /** A session's encryption never changes; a server that says so is not believed. */
  #onOtherEncryption({ encryption }: Resumed): void {
    const details = { encryption: encryption ?? "transport" };
    this.connection.end(new VoiceError("E2EE_DOWNGRADED", "the encryption of this call changed", details, true));
  }

  #onInterrupted(): void {
    this.#monitor.stop();
    this.receiver?.close();
    this.receiver = null;
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
    this.#monitor.stop();
    this.receiver?.close();
    this.receiver = null;
    this.publisher.stop();
    this.speakers.stopAll();
    this.speakers.duck = 1;
    this.encryption?.close();
    this.encryption = this.#policy = null;
    this.slots.clear();
    this.#levels.clear();
    this.#stats = null;
    for (const video of Object.values(this.#videos)) video.abandon();
    this.#videos = this.#switches();
    this.#opening = Promise.resolve();
    this.#speaking = false;
    this.#health = { people: new Map(), noSound: false };
    this.#spoke = { said: false, at: 0 };
  }

  #onEvent(event: ServerEvent): void {
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
        this.publisher.mutedByServer();
        this.tellState();
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
    if (event.name === "voice:participant:joined" || event.name === "voice:participant:left")
      this.encryption?.people([...this.room.participants.values()]);
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
      if (!this.isAllowed(source)) void this.setVideo(source, false);
    }
  }

  /** A camera comes on by itself; a screen needs a click, because browsers ask the user which one. */
  #onGranted(source: VideoSource): void {
    this.slots.granted(source);
    this.changed();
    if (source === "screen") this.#notice({ kind: "slotGranted", source });
    else void this.setVideo("camera", true).catch((error: unknown) => this.failed("camera", error));
  }

  #onSourcesChanged(): void {
    this.#state.apply("sourcesChanged", this.publisher.sent);
    this.changed();
  }

  #onLevels(levels: InputLevels): void {
    this.emit("inputLevel", levels);
    this.#monitor.microphone(levels);
    const speaking = levels.speaking && !this.publisher.muted;
    if (levels.speaking !== this.#speaking) this.changed();
    this.#speaking = levels.speaking;
    if (speaking === this.#spoke.said || Date.now() - this.#spoke.at < SPEAKING_INTERVAL) return;
    if (!this.connection.media) return;
    this.#spoke = { said: speaking, at: Date.now() };
    this.connection.request("voice:state:update", { speaking }).catch(() => undefined);
    this.changed();
  }

  #onRemoteLevels(levels: Map<string, number>): void {
    const changes = [...levels].some(
      ([sessionId, level]) => isLoud(level) !== isLoud(this.#levels.get(sessionId)),
    );
    this.#levels = levels;
    this.emit("levels", levels);
    if (changes) this.changed();
  }

  #onFeedback(): void {
    this.speakers.duck = 1 - FEEDBACK_CUT;
    this.#notice({ kind: "feedback" });
  }

  failed(source: Source, error: unknown): void {
    const failure = VoiceError.from(error);
    if (failure.code !== "CANCELLED") this.#notice({ kind: "sourceFailed", source, error: failure });
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
