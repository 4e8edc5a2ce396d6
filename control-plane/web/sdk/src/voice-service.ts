import { VoiceError } from "./errors";
import type { Viewport } from "./layers";
import { Call } from "./runtime/call";
import { listDevices } from "./runtime/capture";
import { Emitter } from "./runtime/emitter";
import { sourceOf } from "./runtime/snapshot";
import { TokenRenewal } from "./runtime/token-renewal";
import type { VideoSource } from "./runtime/video-slots";
import type { VoiceState } from "./state-machine";
import type { EncryptionOptions, VoiceEvents, VoiceOptions, VoiceSnapshot } from "./types";
import type { Permissions, Source } from "./payloads";

/** A user's voice and video: one call at a time. Everything that fails does so with a `VoiceError`. */
export class VoiceService extends Emitter<VoiceEvents> {
  #call: Call;
  /** Whether the microphone was off before it was deafened. */
  #mutedBefore = false;

  #renewal: TokenRenewal;

  constructor(private readonly options: VoiceOptions) {
    super();
    this.#renewal = new TokenRenewal(options.token, (token) => this.refreshEntitlement(token));
    const token = this.#renewal.token ?? options.token;
    this.#call = new Call({ ...options, token }, (name, event) => this.emit(name, event));
    this.on("ended", () => this.#renewal.stop());
  }

  /**
   * Everything there is to show: the same object, and the same parts, until something changes; `change` says
   * when to look again.
   */
  get snapshot(): VoiceSnapshot {
    return this.#call.snapshot;
  }

  get state(): VoiceState {
    return this.#call.state;
  }

  /**
   * Enters a channel and, unless `muted`, opens the microphone. Without one the call goes on, muted. `signal`
   * gives up what is not done yet. `e2ee`: what the call must be, whatever the server says; it fails with
   * `E2EE_DOWNGRADED` or `CAPABILITY_REQUIRED` then. A channel that this profile saw encrypted from end to end must stay
   * so without it. What the `token` function throws arrives as it is.
   */
  async joinChannel(
    channelId: string,
    { muted = false, signal, e2ee }: { muted?: boolean; signal?: AbortSignal; e2ee?: EncryptionOptions } = {},
  ): Promise<void> {
    if (this.state !== "DISCONNECTED") throw new VoiceError("INVALID_STATE", "there is a call already");
    const given = () =>
      new VoiceError("CANCELLED", "given up by the caller", {}, false, { cause: signal?.reason });
    if (signal?.aborted) throw given();
    const done = new AbortController();
    const givenUp = new Promise<never>((_, reject) => {
      const giveUp = () => {
        void this.leaveChannel();
        reject(given());
      };
      signal?.addEventListener("abort", giveUp, { signal: done.signal });
    });
    this.#call.prepare(channelId, muted, e2ee);
    try {
      const joining = this.#call.connection.join(channelId);
      await Promise.race([joining, givenUp]);
      this.#renewal.start();
    } catch (thrown) {
      this.#call.stopLocally();
      this.#call.changed();
      const error = VoiceError.from(thrown);
      throw error.code === "TOKEN_UNAVAILABLE" ? error.cause : error;
    } finally {
      done.abort();
    }
  }

  async leaveChannel(): Promise<void> {
    this.#renewal.stop();
    this.#call.stopLocally();
    await this.#call.connection.leave();
    this.#call.room.leave();
    this.#call.changed();
  }

  /**
   * Whether the microphone is off afterwards. Nothing is heard from the call on; unmuting fails when there is
   * no microphone to be had. Of several calls the last one counts, here and in the other setters.
   */
  async setMuted(muted: boolean): Promise<boolean> {
    this.#requireCall();
    if (this.#call.deafened) {
      // Who is deafened and speaks again wants to hear the answer.
      if (muted) this.#mutedBefore = true;
      else this.#call.setDeafened(false);
    }
    return this.#call.voice.setMuted(muted);
  }

  /** Whether nobody is heard afterwards; the microphone is off as well while that is so. */
  async setDeafened(deafened: boolean): Promise<boolean> {
    this.#requireCall();
    if (deafened === this.#call.deafened) return deafened;
    if (deafened) this.#mutedBefore = this.#call.publisher.wantsMuted;
    this.#call.setDeafened(deafened);
    await this.#call.voice.setMuted(deafened || this.#mutedBefore);
    return this.#call.deafened;
  }

  /** Whether the camera is on afterwards: false as well when it needs Pro, or waits in the queue. */
  async setVideo(on: boolean): Promise<boolean> {
    this.#requireCall();
    return this.#call.video.set("camera", on);
  }

  /** As `setVideo`, for a screen, a window or a tab, with its sound. To be called from a click. */
  async setScreenShare(on: boolean): Promise<boolean> {
    this.#requireCall();
    return this.#call.video.set("screen", on);
  }

  /** `setMuted` to the opposite of what was asked for last. */
  async toggleMute(): Promise<boolean> {
    return this.setMuted(!this.#call.publisher.wantsMuted);
  }

  /** `setDeafened` to the opposite. */
  async toggleDeafen(): Promise<boolean> {
    return this.setDeafened(!this.#call.deafened);
  }

  /** `setVideo` to the opposite; who waits in the queue leaves it. */
  async toggleVideo(): Promise<boolean> {
    return this.setVideo(!this.#call.video.isWanted("camera"));
  }

  /** As `toggleVideo`, for `setScreenShare`. */
  async toggleScreenShare(): Promise<boolean> {
    return this.setScreenShare(!this.#call.video.isWanted("screen"));
  }

  /**
   * Sends a track of the application's own, such as a processed camera or a file, in place of what would be
   * captured. Whether it is sent: false without Pro, in the queue (it is sent when it is our turn), and while
   * muted. The application ends the track; the microphone's levelling, gate and meter are not applied to it.
   */
  async publishTrack(track: MediaStreamTrack, { source }: { source: Source }): Promise<boolean> {
    this.#requireCall();
    return this.#call.tracks.publish(source, track);
  }

  /** Ends what `publishTrack` began; `mic` goes back to the microphone. */
  async unpublishTrack(source: Source): Promise<void> {
    this.#requireCall();
    await this.#call.tracks.unpublish(source);
  }

  /**
   * Tells who is in a channel without joining it, in `snapshot.channels`, until the function that this gives
   * back is called. For whoever may join it; there need not be a call.
   */
  watchChannel(channelId: string): () => void {
    return this.#call.presence.watch(channelId);
  }

  /** Whether the user can be called while there is no call: a socket is kept for it. Off unless asked for. */
  setReachable(on: boolean): void {
    this.#call.presence.setReachable(on);
  }

  /**
   * Calls the other members of the DM that was joined, for 45 s at most. Gives how many are called; `ringEnded`
   * says of each what came of it.
   */
  async ring(): Promise<number> {
    const { channelId } = this.snapshot;
    if (!channelId) throw new VoiceError("INVALID_STATE", "there is no call");
    const { users } = await this.#call.connection.request("voice:ring", { channelId });
    return users;
  }

  /** Declines a call to the user, or takes back one's own. */
  declineRing(channelId: string): Promise<void> {
    return this.#call.presence.decline(channelId);
  }

  /**
   * A small message to everybody else in the call, or to one session of it, who hear `data`. `kind`: what it is
   * about, 1 to 64 bytes; `payload`: at most 1 KiB. Five a second a user.
   */
  async sendData(kind: string, payload: string, { to }: { to?: string } = {}): Promise<void> {
    this.#requireCall();
    await this.#call.data.send(kind, payload, to);
  }

  /** 0 to 2; 1 sends the microphone at the level everybody has. */
  setInputVolume(volume: number): void {
    const gain = Number.isFinite(volume) ? Math.min(2, Math.max(0, volume)) : 1;
    this.#call.microphone.change({ gain });
  }

  /** Of everything that is heard, 0 to 2; 1 is as loud as it comes. */
  setOutputVolume(volume: number): void {
    this.#call.speakers.duck = 1;
    this.#call.speakers.volume = volume;
    this.#call.changed();
  }

  /** Of one user, 0 to 2, in this call and later ones. */
  setPerUserVolume(userId: string, volume: number): void {
    this.#call.speakers.setUserVolume(userId, volume);
    this.#call.changed();
  }

  /** Devices for when they are first used; what is not plugged in is left to the system. */
  async preferDevices({ microphone, camera, speaker }: Partial<VoiceSnapshot["devices"]>): Promise<void> {
    const isChosen = [microphone, camera, speaker].some((id) => id);
    const devices = isChosen ? await listDevices().catch(() => null) : null;
    const known = (list: MediaDeviceInfo[] | undefined, id = "") =>
      list?.some(({ deviceId }) => deviceId === id) ? id : "";
    this.#call.microphone.deviceId = known(devices?.microphones, microphone);
    this.#call.publisher.cameraId = known(devices?.cameras, camera);
    await this.#call.speakers.setDevice(known(devices?.speakers, speaker)).catch(() => undefined);
    this.#call.changed();
  }

  /** Goes over to another microphone without an interruption. `""` is the system's choice. */
  async setMicrophone(deviceId: string): Promise<void> {
    const { microphone } = this.#call;
    // One that is closed stays so: nobody asked to be heard.
    if (microphone.track) await microphone.open(deviceId);
    else microphone.deviceId = deviceId;
    this.#call.changed();
  }

  setCamera(deviceId: string): Promise<void> {
    return this.#call.publisher.setCamera(deviceId);
  }

  async setSpeaker(deviceId: string): Promise<void> {
    await this.#call.speakers.setDevice(deviceId);
    this.#call.changed();
  }

  /** RNNoise, off unless asked for: it costs 10 ms and some of a processor. Whether it runs is the answer. */
  setNoiseSuppression(on: boolean): Promise<boolean> {
    return this.#call.microphone.setDenoise(on);
  }

  /** How large somebody's video is shown, in CSS pixels; null when it is out of sight. It saves bandwidth. */
  setViewport(sessionId: string, source: VideoSource, viewport: Viewport): void {
    const remote = this.#call.room.participants.get(sessionId);
    const found = remote && sourceOf(remote, source);
    if (found) this.#call.receiver?.show(found.producerId, viewport);
  }

  /** A track of one's own camera or screen, for a preview. */
  ownTrack(source: VideoSource): MediaStreamTrack | null {
    return this.#call.publisher.track(source);
  }

  /** A newer token, after an upgrade for example. */
  async refreshEntitlement(token: string): Promise<Permissions> {
    const change = await this.#call.connection.request("voice:entitlement:refresh", { token });
    this.#call.room.changePermissions(change);
    this.#call.publisher.setPermissions(change.permissions);
    this.#call.changed();
    return change.permissions;
  }

  /** Opens the application's `upgradeUrl` in a tab of its own, from a click; false if there is none. */
  openUpgrade(): boolean {
    const { upgradeUrl } = this.options;
    this.reportUpgrade("upgrade_cta_clicked");
    if (!upgradeUrl) return false;
    window.open(upgradeUrl, "_blank", "noopener");
    return true;
  }

  /** Tells the server's metrics what became of an offer to upgrade. */
  reportUpgrade(name: "upgrade_cta_shown" | "upgrade_cta_clicked" | "upgraded"): void {
    this.#call.reportUpgrade(name);
  }

  /** Starts sound that the browser held back; to be called from a click after `playbackBlocked`. */
  resumePlayback(): void {
    this.#call.speakers.resume();
  }

  /**
   * The key of an encrypted call, after `inviteNeeded` or when the application was given a newer one. Fails with
   * `INVALID_PAYLOAD`, or with `INVALID_STATE` if there is a newer one already.
   */
  async useInvite(invite: string): Promise<void> {
    await this.#requireEncryption().use(invite);
  }

  /** The invite in use, for somebody who is to come; null without a key. */
  async currentInvite(): Promise<string | null> {
    return (await this.#call.encryption?.current()) ?? null;
  }

  /** The user compared `snapshot.encryption.code` with the others'. It counts until the key is another. */
  confirmCode(matches: boolean): void {
    this.#requireEncryption().confirm(matches);
  }

  /** Lets calls in a channel go on without end-to-end encryption that had it before: the user's own decision. */
  async forgetEncryption(channelId: string): Promise<void> {
    (await import("./e2ee/encryption")).forget(channelId);
  }

  #requireEncryption() {
    const { encryption } = this.#call;
    if (!encryption) throw new VoiceError("INVALID_STATE", "the call is not encrypted from end to end");
    return encryption;
  }

  #requireCall(): void {
    if (!this.#call.connection.media) throw new VoiceError("INVALID_STATE", "there is no call");
  }
}
