import { VoiceError } from "./errors";
import type { InputLevels } from "./dsp/input-chain";
import { SILENCE_DB } from "./dsp/decibel";
import { queueText } from "./quality";
import type { Viewport } from "./layers";
import { listDevices } from "./runtime/capture";
import { Connection } from "./runtime/connection";
import { Emitter } from "./runtime/emitter";
import { Microphone } from "./runtime/microphone";
import { Monitor } from "./runtime/monitor";
import { Publisher } from "./runtime/publisher";
import { Receiver } from "./runtime/receiver";
import { Room } from "./runtime/room";
import type { ServerEvent } from "./runtime/signaling";
import { Speakers } from "./runtime/speakers";
import type { CallStats } from "./runtime/stats";
import { VideoSlots, type VideoSource } from "./runtime/video-slots";
import { StateMachine, type VoiceState } from "./state-machine";
import type { Notice, Participant, VideoState, VoiceEvents, VoiceOptions, VoiceSnapshot } from "./types";
import type { Permissions, Resumed, Source } from "./wire";

/** Taken off everything that is played when the microphone hears it. */
const FEEDBACK_CUT = 0.3;
/** Louder than this somebody counts as speaking, whatever the server says. */
const SPEAKING_DB = -45;
/** Between two words about whether we speak, in milliseconds. */
const SPEAKING_INTERVAL = 300;

/** A user's voice and video: one call at a time. Everything that fails does so with a `VoiceError`. */
export class VoiceService extends Emitter<VoiceEvents> {
  #state = new StateMachine((state, before) => this.#onState(state, before));
  #room = new Room();
  #speakers = new Speakers(() => this.emit("playbackBlocked", undefined));
  #microphone: Microphone;
  #connection: Connection;
  #slots: VideoSlots;
  #publisher: Publisher;
  #receiver: Receiver | null = null;
  #monitor: Monitor;
  #stats: CallStats | null = null;
  #levels = new Map<string, number>();
  #deafened = false;
  /** Whether the microphone was off before it was deafened. */
  #mutedBefore = false;
  #opening: Promise<unknown> | null = null;
  #starting = new Set<VideoSource>();
  #micBusy: Promise<void> = Promise.resolve();
  #spoke = { said: false, at: 0 };
  #changeQueued = false;

  constructor(options: VoiceOptions) {
    super();
    this.#microphone = new Microphone({
      levels: (levels) => this.#onLevels(levels),
      track: (track) => void this.#publisher.replaceMicTrack(track),
      lost: () => this.#notice({ kind: "microphoneLost" }),
    });
    const { token } = options;
    this.#connection = new Connection(
      {
        url: options.url,
        deviceId: options.deviceId ?? "web",
        token: async () => (typeof token === "function" ? token() : token),
      },
      this.#state,
      {
        joined: (joined) => {
          this.#room.enter(joined);
          this.#changed();
        },
        opened: (media) => this.#onOpened(media),
        resumed: (resumed) => this.#onResumed(resumed),
        interrupted: () => this.#onInterrupted(),
        event: (event) => this.#onEvent(event),
        ended: (error) => this.#onEnded(error),
        sent: () => this.#publisher.sent,
      },
    );
    const { request } = this.#connection;
    this.#slots = new VideoSlots(request);
    this.#publisher = new Publisher(request, this.#microphone, this.#slots, {
      changed: () => this.#onSourcesChanged(),
      ended: (source) => void this.#stopVideo(source),
    });
    this.#monitor = new Monitor(request, this.#speakers, {
      stats: (stats) => {
        this.#stats = stats;
        this.emit("stats", stats);
      },
      plan: (plan) => void this.#publisher.apply(plan),
      levels: (levels) => this.#onRemoteLevels(levels),
      feedback: () => this.#onFeedback(),
    });
  }

  /** Everything there is to show. A new object each time; `change` says when to look again. */
  get snapshot(): VoiceSnapshot {
    const { channelId, sessionId, permissions, limits } = this.#room;
    return {
      state: this.#state.state,
      channelId,
      sessionId,
      permissions,
      limits,
      muted: this.#publisher.muted,
      deafened: this.#deafened,
      camera: this.#videoState("camera"),
      screen: this.#videoState("screen"),
      participants: [...this.#room.participants.values()].map((participant) => this.#participant(participant.sessionId)),
      activeSpeaker: this.#room.activeSpeaker,
      stats: this.#stats,
      devices: {
        microphone: this.#microphone.deviceId,
        camera: this.#publisher.cameraId,
        speaker: this.#speakers.deviceId,
      },
    };
  }

  get state(): VoiceState {
    return this.#state.state;
  }

  /** Enters a channel and, unless `muted`, opens the microphone. Without one the call goes on, muted. */
  async joinChannel(channelId: string, { muted = false }: { muted?: boolean } = {}): Promise<void> {
    if (this.state !== "DISCONNECTED") throw new VoiceError("INVALID_STATE", "there is a call already");
    this.#deafened = this.#speakers.deafened = false;
    this.#publisher.muted = muted;
    // The microphone is opened while the server answers, so that the first word is not late.
    const opening = muted || this.#microphone.track ? null : this.#microphone.open();
    opening?.catch((error: unknown) => {
      this.#publisher.muted = true;
      this.#failed("mic", error);
    });
    this.#opening = opening;
    try {
      await this.#connection.join(channelId);
    } catch (error) {
      this.#publisher.stop();
      throw error;
    }
  }

  async leaveChannel(): Promise<void> {
    this.#stopLocally();
    await this.#connection.leave();
    this.#room.leave();
    this.#changed();
  }

  /** Whether the microphone is off afterwards. Fails when there is none to be had. */
  async toggleMute(): Promise<boolean> {
    this.#requireCall();
    const muted = !this.#publisher.muted;
    if (!muted && this.#deafened) this.#setDeafened(false);
    await this.#setMuted(muted);
    return this.#publisher.muted;
  }

  /** Whether nobody is heard afterwards; the microphone is off as well while that is so. */
  async toggleDeafen(): Promise<boolean> {
    this.#requireCall();
    const deafened = !this.#deafened;
    if (deafened) this.#mutedBefore = this.#publisher.muted;
    this.#setDeafened(deafened);
    await this.#setMuted(deafened || this.#mutedBefore);
    return this.#deafened;
  }

  /** Whether the camera is on afterwards: false as well when it needs Pro, or waits in the queue. */
  toggleVideo(): Promise<boolean> {
    return this.#toggleVideo("camera");
  }

  /** As `toggleVideo`, for a screen, a window or a tab, with its sound. To be called from a click. */
  toggleScreenShare(): Promise<boolean> {
    return this.#toggleVideo("screen");
  }

  /** 0 to 2; 1 sends the microphone at the level everybody has. */
  setInputVolume(volume: number): void {
    const gain = Number.isFinite(volume) ? Math.min(2, Math.max(0, volume)) : 1;
    this.#microphone.change({ gain });
  }

  /** Of everything that is heard, 0 to 1. */
  setOutputVolume(volume: number): void {
    this.#speakers.duck = 1;
    this.#speakers.volume = volume;
    this.#changed();
  }

  /** Of one user, 0 to 1, in this call and later ones. */
  setPerUserVolume(userId: string, volume: number): void {
    this.#speakers.setUserVolume(userId, volume);
    this.#changed();
  }

  /** Devices for when they are first used; what is not plugged in is left to the system. */
  async preferDevices({ microphone, camera, speaker }: Partial<VoiceSnapshot["devices"]>): Promise<void> {
    const devices = await listDevices().catch(() => null);
    const known = (list: MediaDeviceInfo[] | undefined, id = "") =>
      list?.some(({ deviceId }) => deviceId === id) ? id : "";
    this.#microphone.deviceId = known(devices?.microphones, microphone);
    this.#publisher.cameraId = known(devices?.cameras, camera);
    await this.#speakers.setDevice(known(devices?.speakers, speaker)).catch(() => undefined);
  }

  /** Goes over to another microphone without an interruption. `""` is the system's choice. */
  async setMicrophone(deviceId: string): Promise<void> {
    await this.#microphone.open(deviceId);
    this.#changed();
  }

  setCamera(deviceId: string): Promise<void> {
    return this.#publisher.setCamera(deviceId);
  }

  async setSpeaker(deviceId: string): Promise<void> {
    await this.#speakers.setDevice(deviceId);
    this.#changed();
  }

  /** RNNoise, off unless asked for: it costs 10 ms and some of a processor. Whether it runs is the answer. */
  setNoiseSuppression(on: boolean): Promise<boolean> {
    return this.#microphone.setDenoise(on);
  }

  /** How large somebody's video is shown, in CSS pixels; null when it is out of sight. It saves bandwidth. */
  setViewport(sessionId: string, source: VideoSource, viewport: Viewport): void {
    const found = this.#find(sessionId, source);
    if (found) this.#receiver?.show(found.producerId, viewport);
  }

  /** A track of one's own camera or screen, for a preview. */
  ownTrack(source: VideoSource): MediaStreamTrack | null {
    return this.#publisher.track(source);
  }

  /** A newer token, after an upgrade for example. */
  async refreshEntitlement(token: string): Promise<Permissions> {
    const change = await this.#connection.request("voice:entitlement:refresh", { token });
    this.#room.changePermissions(change);
    this.#publisher.setPermissions(change.permissions);
    this.#changed();
    return change.permissions;
  }

  /** Tells the server's metrics what became of an offer to upgrade. */
  reportUpgrade(name: "upgrade_cta_shown" | "upgrade_cta_clicked" | "upgraded"): void {
    this.#connection.request("voice:ui:event", { name }).catch(() => undefined);
  }

  /** Starts sound that the browser held back; to be called from a click after `playbackBlocked`. */
  resumePlayback(): void {
    this.#speakers.resume();
  }

  async #toggleVideo(source: VideoSource): Promise<boolean> {
    this.#requireCall();
    if (this.#starting.has(source)) return false;
    if (this.#publisher.isSending(source)) {
      await this.#stopVideo(source);
      return false;
    }
    if (this.#slots.place(source)) {
      await this.#slots.release(source);
      this.#changed();
      return false;
    }
    if (!this.#isAllowed(source)) {
      this.emit("upgradeNeeded", { source });
      this.reportUpgrade("upgrade_cta_shown");
      return false;
    }
    return this.#startVideo(source);
  }

  async #startVideo(source: VideoSource): Promise<boolean> {
    this.#starting.add(source);
    this.#changed();
    try {
      if (!(await this.#slots.request(source))) {
        const place = this.#slots.place(source);
        if (place) this.#notice({ kind: "queued", source, text: queueText(place) });
        return false;
      }
      try {
        await this.#publisher.start(source);
      } catch (error) {
        await this.#slots.release(source);
        throw error;
      }
      this.#slots.used(source);
      return true;
    } catch (thrown) {
      const error = VoiceError.from(thrown);
      if (error.code === "CAPABILITY_REQUIRED") this.emit("upgradeNeeded", { source });
      throw error;
    } finally {
      this.#starting.delete(source);
      this.#changed();
    }
  }

  async #stopVideo(source: VideoSource): Promise<void> {
    await this.#publisher.stopSource(source);
    this.#changed();
  }

  #setMuted(muted: boolean): Promise<void> {
    // One after the other: two quick clicks must not overtake each other.
    const change = this.#micBusy.then(async () => {
      await this.#publisher.setMuted(muted);
      this.#tellState();
    });
    this.#micBusy = change.catch(() => undefined);
    return change;
  }

  #setDeafened(deafened: boolean): void {
    this.#deafened = deafened;
    if (this.#receiver) this.#receiver.deafened = deafened;
    else this.#speakers.deafened = deafened;
    this.#changed();
  }

  #tellState(): void {
    const { muted } = this.#publisher;
    this.#connection.request("voice:state:update", { muted, deafened: this.#deafened }).catch(() => undefined);
  }

  async #onOpened(media: NonNullable<Connection["media"]>): Promise<void> {
    const { permissions } = this.#room;
    this.#receiver = new Receiver(media, this.#connection.request, this.#room, this.#speakers, {
      changed: () => this.#changed(),
      failed: (source, error) => this.#notice({ kind: "receiveFailed", sessionId: source.sessionId, error }),
    });
    if (this.#deafened) this.#receiver.deafened = true;
    this.#receiver.sync();
    this.#monitor.start(media);
    await this.#opening?.catch(() => undefined);
    if (permissions) {
      await this.#publisher.attach(media, permissions).catch((error: unknown) => this.#failed("mic", error));
    }
    if (this.#publisher.muted || this.#deafened) this.#tellState();
    this.#changed();
  }

  async #onResumed(resumed: Resumed): Promise<void> {
    this.#room.enter(resumed);
    this.#slots.restore(resumed.queue);
    this.#receiver?.keepOnly(new Set(resumed.consumers.map(({ consumerId }) => consumerId)));
    this.#receiver?.sync();
    this.#publisher.setPermissions(resumed.permissions);
    // The server forgets the old token with the first request, so there is always one.
    this.#tellState();
    await this.#publisher.reconcile(resumed.producers);
    this.#changed();
  }

  #onInterrupted(): void {
    this.#monitor.stop();
    this.#receiver?.close();
    this.#receiver = null;
    this.#publisher.detach();
    this.#slots.clear();
    this.#room.participants.clear();
    this.#changed();
  }

  #onEnded(error: VoiceError): void {
    this.#stopLocally();
    this.#room.leave();
    this.emit("ended", error);
    this.#changed();
  }

  #stopLocally(): void {
    this.#monitor.stop();
    this.#receiver?.close();
    this.#receiver = null;
    this.#publisher.stop();
    this.#speakers.stopAll();
    this.#speakers.duck = 1;
    this.#slots.clear();
    this.#levels.clear();
    this.#stats = null;
    this.#opening = null;
    this.#spoke = { said: false, at: 0 };
  }

  #onEvent(event: ServerEvent): void {
    const wasRoom = this.#room.apply(event);
    switch (event.name) {
      case "voice:producerClosed":
        this.#publisher.closedByServer(event.payload.producerId);
        break;
      case "voice:producerLayers":
        this.#publisher.setLayers(event.payload.producerId, event.payload.maxSpatialLayer);
        break;
      case "voice:consumerClosed":
        this.#receiver?.consumerClosed(event.payload.consumerId);
        break;
      case "voice:permissions":
        this.#onPermissions(event.payload.permissions, event.payload.reason);
        break;
      case "voice:video:queue":
        this.#slots.moved(event.payload);
        this.#changed();
        break;
      case "voice:video:granted":
        this.#onGranted(event.payload.source);
        break;
      case "voice:muted":
        this.#publisher.mutedByServer();
        this.#tellState();
        this.#notice({ kind: "mutedByServer", reason: event.payload.reason });
        break;
      case "voice:kicked": {
        const { reason, until } = event.payload;
        this.#connection.end(new VoiceError("PERMISSION_DENIED", `kicked: ${reason}`, { reason, until }, true));
        break;
      }
    }
    if (!wasRoom) return;
    this.#receiver?.sync();
    this.#changed();
  }

  #onPermissions(permissions: Permissions, reason: string): void {
    this.#publisher.setPermissions(permissions);
    if (reason === "expired" || reason === "revoked") this.#notice({ kind: "proEnded", reason });
    if (reason === "upgraded") {
      this.#notice({ kind: "upgraded" });
      this.reportUpgrade("upgraded");
    }
    if (!permissions.video) void this.#publisher.stopSource("camera");
    if (!permissions.screenshare) void this.#publisher.stopSource("screen");
    for (const source of ["camera", "screen"] as const) {
      if (!this.#isAllowed(source) && this.#slots.place(source)) void this.#slots.release(source);
    }
  }

  /** A camera comes on by itself; a screen needs a click, because browsers ask the user which one. */
  #onGranted(source: VideoSource): void {
    this.#slots.granted(source);
    this.#changed();
    if (source === "screen") this.#notice({ kind: "slotGranted", source });
    else void this.#startVideo("camera").catch((error: unknown) => this.#failed("camera", error));
  }

  #onSourcesChanged(): void {
    this.#state.apply("sourcesChanged", this.#publisher.sent);
    this.#changed();
  }

  #onState(state: VoiceState, before: VoiceState): void {
    this.emit("state", { state, before });
    this.#changed();
  }

  #onLevels(levels: InputLevels): void {
    this.emit("inputLevel", levels);
    this.#monitor.microphone(levels.input, levels.speaking);
    const speaking = levels.speaking && !this.#publisher.muted;
    if (speaking === this.#spoke.said || Date.now() - this.#spoke.at < SPEAKING_INTERVAL) return;
    if (!this.#connection.media) return;
    this.#spoke = { said: speaking, at: Date.now() };
    this.#connection.request("voice:state:update", { speaking }).catch(() => undefined);
    this.#changed();
  }

  #onRemoteLevels(levels: Map<string, number>): void {
    const speaks = (level: number | undefined) => (level ?? SILENCE_DB) > SPEAKING_DB;
    const changes = [...levels].some(([sessionId, level]) => speaks(level) !== speaks(this.#levels.get(sessionId)));
    this.#levels = levels;
    this.emit("levels", levels);
    if (changes) this.#changed();
  }

  #onFeedback(): void {
    this.#speakers.duck = 1 - FEEDBACK_CUT;
    this.#notice({ kind: "feedback" });
  }

  #failed(source: Source, error: unknown): void {
    const failure = VoiceError.from(error);
    if (failure.code !== "CANCELLED") this.#notice({ kind: "sourceFailed", source, error: failure });
    this.#changed();
  }

  #notice(notice: Notice): void {
    this.emit("notice", notice);
  }

  /** One event for all that happens at once. */
  #changed(): void {
    if (this.#changeQueued) return;
    this.#changeQueued = true;
    queueMicrotask(() => {
      this.#changeQueued = false;
      this.emit("change", this.snapshot);
    });
  }

  #isAllowed(source: VideoSource): boolean {
    const { permissions } = this.#room;
    return (source === "camera" ? permissions?.video : permissions?.screenshare) ?? false;
  }

  #requireCall(): void {
    if (!this.#connection.media) throw new VoiceError("INVALID_STATE", "there is no call");
  }

  #videoState(source: VideoSource): VideoState {
    const track = this.#publisher.track(source);
    const queue = this.#slots.place(source);
    let status: VideoState["status"] = "off";
    if (this.#publisher.isHeldBack(source)) status = "heldBack";
    else if (this.#publisher.isSending(source)) status = "on";
    else if (this.#starting.has(source)) status = "starting";
    else if (queue) status = "queued";
    else if (this.#slots.isGranted(source)) status = "granted";
    return { status, allowed: this.#isAllowed(source), queue, track };
  }

  #participant(sessionId: string): Participant {
    const remote = this.#room.participants.get(sessionId);
    if (!remote) throw new VoiceError("NOT_FOUND", "no such participant");
    const { userId, name, muted, deafened, speaking, sources } = remote;
    const video = (source: VideoSource) => {
      const found = this.#find(sessionId, source);
      return found && !found.paused ? (this.#receiver?.track(found.producerId) ?? null) : null;
    };
    const mic = [...sources.values()].find(({ source }) => source === "mic");
    const isLoud = (this.#levels.get(sessionId) ?? SILENCE_DB) > SPEAKING_DB;
    const isMuted = muted || !mic || mic.paused;
    return {
      sessionId,
      userId,
      name,
      muted: isMuted,
      deafened,
      speaking: !isMuted && (isLoud || speaking),
      volume: this.#speakers.userVolume(userId),
      camera: video("camera"),
      screen: video("screen"),
      sends: { camera: !!this.#find(sessionId, "camera"), screen: !!this.#find(sessionId, "screen") },
    };
  }

  #find(sessionId: string, source: Source) {
    const sources = this.#room.participants.get(sessionId)?.sources.values() ?? [];
    return [...sources].find((it) => it.source === source);
  }
}
