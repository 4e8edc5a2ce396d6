import { captureCamera, captureMicrophone, captureScreen } from "./capture";
import { describe, describeCapture, describeEnd, NEEDS_PRO } from "./sentences";
import { type EndReason, type Remote, Session } from "./session";
import { NoAnswer, RequestRefused, Signaling } from "./signaling";
import { tokenFor } from "./token";
import type { Source, Tier } from "./wire";

export interface JoinForm {
  name: string;
  channel: string;
  tier: Tier;
}

export type Status = "idle" | "joining" | "joined" | "rejoining";

/** Waits between the tries to come back after a lost connection, in milliseconds. */
const REJOIN_DELAYS = [1_000, 2_000, 4_000, 8_000, 16_000];

/** What the user wants of a call, kept up over lost connections. */
export class Call {
  status: Status = "idle";
  muted = false;
  onChange: () => void = () => undefined;
  onNotice: (text: string) => void = () => undefined;
  #form: JoinForm | null = null;
  #session: Session | null = null;
  /** Sources whose button was pressed and not yet answered. */
  #busy = new Set<Source>();
  #retry: ReturnType<typeof setTimeout> | undefined;

  get form(): JoinForm | null {
    return this.#form;
  }

  get remotes(): Remote[] {
    return [...(this.#session?.remotes.values() ?? [])];
  }

  ownTrack(source: Source): MediaStreamTrack | undefined {
    return this.#session?.ownTrack(source);
  }

  isOn(source: Source): boolean {
    return this.#session?.isPublishing(source) ?? false;
  }

  isBusy(source: Source): boolean {
    return this.#busy.has(source);
  }

  isAllowed(source: Source): boolean {
    const permissions = this.#session?.permissions;
    if (!permissions) return false;
    return { mic: permissions.audio, camera: permissions.video, screen: permissions.screenshare }[source];
  }

  async join(form: JoinForm): Promise<void> {
    if (this.status !== "idle") return;
    this.#form = form;
    this.muted = false;
    this.#setStatus("joining");
    try {
      await this.#enter();
    } catch (error) {
      if (this.#form !== form) return;
      this.#stop();
      this.onNotice(describe(error));
    }
  }

  leave(): void {
    void this.#session?.leave();
    this.#stop();
  }

  async toggleMute(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const muted = !this.muted;
    await this.#doing("mic", async () => {
      if (!muted && !session.isPublishing("mic")) await this.#publishMic(session);
      if (!muted && !session.isPublishing("mic")) return;
      await session.setMuted(muted);
      this.muted = muted;
    });
  }

  /** Starts or stops the camera or the screen. */
  async toggleVideo(source: "camera" | "screen"): Promise<void> {
    const session = this.#session;
    if (!session) return;
    if (!this.isAllowed(source)) {
      this.onNotice(NEEDS_PRO[source]);
      return;
    }
    await this.#doing(source, async () => {
      if (session.isPublishing(source)) {
        await session.unpublish(source);
        return;
      }
      const track = await this.#capture(source, source === "camera" ? captureCamera : captureScreen);
      if (!track) return;
      // The browser's own "stop sharing" ends the track without asking the page.
      track.addEventListener("ended", () => void this.#unpublish(session, source));
      await this.#publish(session, source, track);
    });
  }

  async #enter(): Promise<void> {
    const form = this.#form;
    if (!form) return;
    const signaling = await Signaling.connect(await tokenFor(form.name, form.tier));
    const session = await Session.join(signaling, form.channel, {
      changed: () => this.onChange(),
      ended: (reason) => this.#onEnded(reason),
      consumeFailed: (name, error) => this.onNotice(`${name} cannot be received. ${describe(error)}`),
    });
    if (this.#form !== form) {
      // The user left while we were joining.
      await session.leave();
      return;
    }
    this.#session = session;
    this.#setStatus("joined");
    if (!this.muted) await this.#publishMic(session).catch((error) => this.onNotice(describe(error)));
    if (this.muted) await session.setMuted(true).catch(() => undefined);
    this.onChange();
  }

  /** Without a microphone the call goes on, muted. */
  async #publishMic(session: Session): Promise<void> {
    const track = await this.#capture("mic", captureMicrophone);
    if (!track) this.muted = true;
    else await this.#publish(session, "mic", track);
  }

  async #capture(source: Source, open: () => Promise<MediaStreamTrack>): Promise<MediaStreamTrack | null> {
    try {
      return await open();
    } catch (error) {
      this.onNotice(describeCapture(source, error));
      return null;
    }
  }

  async #publish(session: Session, source: Source, track: MediaStreamTrack): Promise<void> {
    if (this.#session !== session) {
      track.stop();
      return;
    }
    try {
      await session.publish(source, track);
    } catch (error) {
      track.stop();
      throw error;
    }
  }

  async #unpublish(session: Session, source: Source): Promise<void> {
    if (this.#session === session) await this.#doing(source, () => session.unpublish(source));
  }

  /** Runs one button's work at a time, and tells the user when it fails. */
  async #doing(source: Source, work: () => Promise<void>): Promise<void> {
    if (this.#busy.has(source)) return;
    this.#busy.add(source);
    this.onChange();
    try {
      await work();
    } catch (error) {
      if (this.status === "joined") this.onNotice(describe(error));
      if (error instanceof RequestRefused && error.refusal.fatal) this.leave();
    } finally {
      this.#busy.delete(source);
      this.onChange();
    }
  }

  #onEnded(reason: EndReason): void {
    this.#session = null;
    if (reason.kind === "kicked") {
      this.#stop();
      this.onNotice(describeEnd(reason));
      return;
    }
    if (reason.kind === "rejoin") {
      this.onNotice("The server moves this call. You are back in a moment; your camera is off.");
      this.#rejoin(0, reason.retryAfterMs);
      return;
    }
    this.onNotice(`${describeEnd(reason)} Trying to come back; your camera is off.`);
    this.#rejoin(0, 0);
  }

  /** Joins the same channel again as a new session; only the microphone comes back by itself. */
  #rejoin(attempt: number, waitAtLeast: number): void {
    const delay = REJOIN_DELAYS[attempt];
    if (delay === undefined) {
      this.#stop();
      this.onNotice("The server could not be reached again, so the call has ended.");
      return;
    }
    this.#setStatus("rejoining");
    this.#retry = setTimeout(
      () => {
        this.#enter().then(
          () => {
            if (this.status === "joined") this.onNotice("You are back in the call.");
          },
          (error: unknown) => this.#afterFailedRejoin(attempt, error),
        );
      },
      Math.max(delay, waitAtLeast),
    );
  }

  #afterFailedRejoin(attempt: number, error: unknown): void {
    if (this.status !== "rejoining") return;
    const code = error instanceof RequestRefused ? error.refusal.code : null;
    if (code === "RATE_LIMITED" || code === "NODE_UNAVAILABLE") {
      const wait = Number((error as RequestRefused).refusal.details?.["retryAfterMs"]) || 0;
      this.#rejoin(attempt + 1, wait);
    } else if (error instanceof NoAnswer) {
      this.#rejoin(attempt + 1, 0);
    } else {
      this.#stop();
      this.onNotice(describe(error));
    }
  }

  #stop(): void {
    clearTimeout(this.#retry);
    this.#session = null;
    this.#form = null;
    this.#setStatus("idle");
  }

  #setStatus(status: Status): void {
    this.status = status;
    this.onChange();
  }
}
