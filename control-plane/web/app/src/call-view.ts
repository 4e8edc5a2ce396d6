import {
  type CallStats,
  isInCall,
  type MediaState,
  type RingEnd,
  VoiceError,
  type VoiceService,
  type VoiceSnapshot,
  type VoiceState,
} from "@railgun/voice";
import { BackgroundBlur } from "@railgun/voice/background";
import type { Gestures } from "@railgun/voice/gestures";
import { SettingsDialog, UpgradeDialog } from "./dialogs";
import { h, icon, setText } from "./dom";
import { EncryptionLock, missingKeys } from "./encryption";
import { GestureMenu } from "./gesture-menu";
import type { JoinForm } from "./lobby";
import { People } from "./people";
import { describe, describeNotice } from "./sentences";
import { type Command, listenForShortcuts } from "./shortcuts";
import { holdToTalk } from "./hold-to-talk";
import { InviteDialog } from "./invite-dialog";
import { listenToMediaKeys } from "./media-keys";
import { preferences } from "./preferences";
import { showRings } from "./ring-cards";
import { play } from "./sounds";
import { Stage } from "./stage";
import { GRADE_WORDS, StatsPanel } from "./stats-panel";
import { toast } from "./toasts";
import { canInvite } from "./token";
import { Toolbar } from "./toolbar";
import { keepAwake } from "./wake-lock";
import { t } from "./texts";

const RECONNECTING: Partial<Record<VoiceState, string>> = {
  RESUMING: t.call.resuming,
  REJOINING: t.call.rejoining,
  JOINING: t.call.joiningAgain,
  FETCHING_RTP_CAPS: t.call.joiningAgain,
  CREATING_TRANSPORTS: t.call.joiningAgain,
};

/** What the user has to mend, since others would not know. */
function silencedText({ mutedBySystem, camera }: VoiceSnapshot): string {
  if (mutedBySystem) return t.call.mutedBySystem;
  return camera.mutedBySystem ? t.call.cameraMutedBySystem : "";
}

/** What is said when `state` is fine and the media is not. */
const MEDIA: Record<MediaState, string> = {
  idle: "",
  connecting: t.call.mediaConnecting,
  connected: "",
  interrupted: t.call.mediaInterrupted,
};
/** A transport connects in less than this on any usable network, in milliseconds. */
const MEDIA_PATIENCE_MS = 2_000;

/** A call on the screen, from the join to the leave. */
export class CallView {
  readonly element: HTMLElement;
  #stage: Stage;
  #people: People;
  #stats: StatsPanel;
  #lock: EncryptionLock;
  #toolbar: Toolbar;
  #upgrade: UpgradeDialog;
  #menu: GestureMenu;
  #settings: SettingsDialog;
  #blur: BackgroundBlur;
  #waits = h("p", { class: "waits" });
  #silenced = h("p", {});
  #banner = h("div", { class: "banner", role: "status" }, this.#waits, this.#silenced);
  #queue = h("p", { class: "queue", role: "status" });
  #invite = new InviteDialog();
  #aloneText = h("span", {});
  #aloneButton = h("button", { type: "button", class: "link", onclick: () => this.#runAlone() });
  #alone = h(
    "section",
    { class: "alone", hidden: true, "aria-label": t.invitation.section },
    this.#aloneText,
    this.#aloneButton,
  );
  /** Whose were up when it was last said. */
  #hands = new Set<string>();
  /** Users whom our call rings. */
  #rung = 0;
  /** Who was there, for the sounds; null until the call stands. */
  #before: { people: Set<string>; muted: boolean } | null = null;
  #quality = h(
    "button",
    { type: "button", class: "quality", onclick: () => this.#toggle("stats") },
    icon("signal"),
    h("span", {}, "…"),
  );
  #open = { people: matchMedia("(min-width: 75rem)").matches, stats: false };
  #speaking = false;
  #clock = h("time", { class: "clock", title: t.call.time }, "0:00");
  #since = Date.now();
  #mediaTimer: ReturnType<typeof setTimeout> | undefined;
  #mediaText = "";
  #unlisten: (() => void)[] = [];

  constructor(
    private readonly voice: VoiceService,
    private readonly gestures: Gestures,
    private readonly form: JoinForm,
    /** `answered`: the channel of another call to go to. */
    private readonly onClosed: (error: VoiceError | null, answered?: string) => void,
  ) {
    this.#menu = new GestureMenu(this.gestures, (error) => this.#failed("mic", error));
    this.#stage = new Stage(voice, this.gestures);
    this.#people = new People(voice, form.name, () => this.#toggle("people"), this.gestures);
    this.#stats = new StatsPanel(() => this.#toggle("stats"));
    this.#lock = new EncryptionLock(voice);
    this.#toolbar = new Toolbar((button) => (button === "leave" ? void this.#leave() : this.#run(button)));
    const opener = this.#toolbar.button("react");
    if (opener) this.#menu.opensBy(opener);
    this.#upgrade = new UpgradeDialog(voice);
    this.#blur = new BackgroundBlur(voice);
    if (preferences.values.blur) void this.#blur.set(true).catch(() => undefined);
    this.#settings = new SettingsDialog(voice, this.#blur, () => this.#render(voice.snapshot));
    this.element = h(
      "div",
      { class: "call" },
      h(
        "header",
        { class: "bar" },
        h("img", { src: "/icon.svg", alt: "", width: 24, height: 24 }),
        h("h1", {}, form.channel),
        this.#clock,
        this.#banner,
        this.#lock.element,
        this.#quality,
      ),
      h("main", { class: "room" }, this.#stage.element, this.#people.element, this.#stats.element, this.#menu.element),
      this.#alone,
      this.#queue,
      this.#toolbar.element,
      this.#menu.said,
      this.#upgrade.element,
      this.#settings.element,
      this.#invite.element,
      this.#lock.dialog,
    );
  }

  /** To be called once it is in the page. */
  open(): void {
    const { voice } = this;
    const ticks = setInterval(() => setText(this.#clock, elapsed(Date.now() - this.#since)), 1_000);
    this.#unlisten = [
      () => clearInterval(ticks),
      () => clearTimeout(this.#mediaTimer),
      voice.on("media", (media) => this.#onMedia(media)),
      // For whoever looks into the browser's console: a figure that is missing in the server's metrics.
      voice.on("requestRefused", ({ event, error }) =>
        console.warn(`${event} was refused: ${error.code} ${error.message}`),
      ),
      voice.on("change", (snapshot) => this.#render(snapshot)),
      voice.on("stats", (stats) => this.#onStats(stats)),
      voice.on("notice", (notice) => this.#onNotice(notice)),
      voice.on("inputLevel", ({ speaking }) => {
        if (speaking === this.#speaking) return;
        this.#speaking = speaking;
        this.#render(voice.snapshot);
      }),
      () => this.gestures.close(),
      () => this.#blur.close(),
      this.gestures.on("change", () => this.#onHands()),
      this.gestures.on("reaction", ({ sessionId, emoji }) => this.#onReaction(sessionId, emoji)),
      voice.on("ringEnded", (end) => this.#onRingEnded(end)),
      showRings(voice, (channelId) => void this.#leave(channelId)),
      voice.on("upgradeNeeded", ({ source }) => this.#upgrade.open(source)),
      voice.on("ended", (error) => this.#close(error)),
      voice.on("playbackBlocked", () =>
        toast(
          { text: t.call.playbackBlocked, tone: "plain" },
          { label: t.call.playSound, run: () => voice.resumePlayback() },
        ),
      ),
      keepAwake(),
      listenToMediaKeys(voice, (command) => (command === "leave" ? void this.#leave() : this.#run(command))),
      holdToTalk(voice, (error) => this.#failed("mic", error)),
      listenForShortcuts((command) => this.#run(command)),
    ];
    this.#onMedia(voice.snapshot.media);
    this.#render(voice.snapshot);
    this.#toolbar.focus();
  }

  #onMedia(media: MediaState): void {
    clearTimeout(this.#mediaTimer);
    const say = () => {
      this.#mediaText = MEDIA[media];
      this.#render(this.voice.snapshot);
    };
    if (media === "connecting" && !this.#mediaText) this.#mediaTimer = setTimeout(say, MEDIA_PATIENCE_MS);
    else say();
  }

  #run(command: Command): void {
    const { voice } = this;
    const actions: Record<Command, () => Promise<unknown> | void> = {
      mute: () => voice.toggleMute(),
      deafen: () => voice.toggleDeafen(),
      camera: () => voice.toggleVideo(),
      screen: () => voice.toggleScreenShare(),
      people: () => this.#toggle("people"),
      stats: () => this.#toggle("stats"),
      settings: () => this.#settings.open(),
      hand: () => {
        const { encryption } = voice.snapshot;
        if (encryption?.mode !== "endToEnd" || encryption.code !== null) this.#menu.toggleHand();
      },
      // Its menu is opened by the button itself.
      react: () => undefined,
      view: () => {
        preferences.save({ speakerView: !preferences.values.speakerView });
        this.#render(voice.snapshot);
      },
    };
    const source = command === "camera" || command === "screen" ? command : "mic";
    Promise.resolve(actions[command]()).catch((error: unknown) => this.#failed(source, error));
  }

  #failed(source: "mic" | "camera" | "screen", error: unknown): void {
    const { code } = VoiceError.from(error);
    // Closing the browser's own chooser is an answer, not a failure. Pro has its dialog.
    const isNo = source === "screen" && code === "CAPTURE_DENIED";
    if (!isNo && code !== "CANCELLED" && code !== "CAPABILITY_REQUIRED") {
      toast({ text: describe(error, source), tone: "bad" });
    }
  }

  /** A link for one person where the page can make one, and else one that leads to this channel. */
  async #inviteSomebody(): Promise<void> {
    const key = await this.voice.currentInvite();
    if (canInvite()) {
      this.#invite.open(this.form.channel, key);
      return;
    }
    const link = `${location.origin}/#${new URLSearchParams({ channel: this.form.channel, ...(key && { key }) })}`;
    navigator.clipboard.writeText(link).then(
      () => toast({ text: t.invitation.channelCopied, tone: "good" }),
      () => toast({ text: t.invitation.channelLink(link), tone: "plain" }),
    );
  }

  #signal({ state, participants, muted, deafened }: VoiceSnapshot): void {
    // After a reconnection everybody is there again at once.
    if (!isInCall(state) || state === "RESUMING") {
      this.#before = null;
      return;
    }
    const before = this.#before;
    const people = new Set(participants.map(({ sessionId }) => sessionId));
    this.#before = { people, muted };
    if (!before || deafened) return;
    if ([...people].some((it) => !before.people.has(it))) play("joined");
    else if ([...before.people].some((it) => !people.has(it))) play("left");
    else if (muted !== before.muted) play(muted ? "muted" : "unmuted");
  }

  async #leave(answered?: string): Promise<void> {
    const left = this.voice.leaveChannel();
    // A join that comes too soon after it would be refused.
    if (answered !== undefined) await left.catch(() => undefined);
    this.#close(null, answered);
    await left;
  }

  #close(error: VoiceError | null, answered?: string): void {
    for (const stop of this.#unlisten) stop();
    this.#stage.close();
    this.#settings.element.close();
    this.onClosed(error, answered);
  }

  #toggle(panel: "people" | "stats"): void {
    this.#open[panel] = !this.#open[panel];
    this.#render(this.voice.snapshot);
  }

  #render(snapshot: VoiceSnapshot): void {
    this.element.classList.toggle("with-people", this.#open.people);
    this.#people.element.hidden = !this.#open.people;
    this.#stats.element.hidden = !this.#open.stats;
    this.#quality.setAttribute("aria-pressed", String(this.#open.stats));
    const waits = RECONNECTING[snapshot.state] ?? (this.#mediaText || missingKeys(snapshot));
    setText(this.#waits, waits || (snapshot.noSound ? t.call.noSound : ""));
    // Told beside what waits: only the user can mend it.
    setText(this.#silenced, silencedText(snapshot));
    this.#renderAlone(snapshot);
    this.#lock.render(snapshot);
    this.#alone.hidden = snapshot.participants.length > 0 || !isInCall(snapshot.state);
    this.#signal(snapshot);
    this.#renderQueue(snapshot);
    this.#toolbar.render(snapshot, this.#open, this.gestures.handRaised);
    this.#menu.render();
    this.#people.render(snapshot);
    this.#stage.render(snapshot, this.form.name, this.#speaking);
  }

  #nameOf(sessionId: string): string {
    const { participants } = this.voice.snapshot;
    return participants.find((person) => person.sessionId === sessionId)?.name ?? t.somebody;
  }

  #onHands(): void {
    const { hands } = this.gestures;
    const raised = [...hands].find((it) => !this.#hands.has(it));
    const lowered = [...this.#hands].find((it) => !hands.has(it));
    this.#hands = new Set(hands);
    if (raised) this.#menu.say(t.gestures.raised(this.#nameOf(raised)));
    else if (lowered) this.#menu.say(t.gestures.lowered(this.#nameOf(lowered)));
    this.#render(this.voice.snapshot);
  }

  #onReaction(sessionId: string | null, emoji: string): void {
    this.#stage.react(sessionId, emoji);
    this.#menu.say(t.gestures.reacted(sessionId === null ? t.gestures.you : this.#nameOf(sessionId), emoji));
  }

  /** In a DM the others can be called; anywhere else they are invited. */
  #renderAlone({ isDm }: VoiceSnapshot): void {
    const [text, button] = !isDm
      ? [t.invitation.first, t.invitation.title]
      : this.#rung > 0
        ? [t.ring.ringing, t.ring.cancel]
        : [t.ring.alone, t.ring.call];
    setText(this.#aloneText, text);
    setText(this.#aloneButton, button);
  }

  #runAlone(): void {
    const { isDm, channelId } = this.voice.snapshot;
    if (!isDm) return void this.#inviteSomebody();
    if (this.#rung > 0) {
      this.#rung = 0;
      void this.voice.declineRing(channelId ?? "").catch(() => undefined);
    } else {
      this.voice.ring().then(
        (users) => this.#setRung(users),
        (thrown: unknown) => {
          const error = VoiceError.from(thrown);
          const text = error.code === "INVALID_STATE" ? t.ring.failed : describe(error);
          toast({ text, tone: "bad" });
        },
      );
    }
    this.#render(this.voice.snapshot);
  }

  #onRingEnded({ userId, reason }: RingEnd): void {
    if (userId === null || this.#rung === 0) return;
    this.#setRung(this.#rung - 1);
    if (reason === "declined") toast({ text: t.ring.declined, tone: "plain" });
    if (reason === "missed" && this.#rung === 0) toast({ text: t.ring.missed, tone: "plain" });
  }

  #setRung(users: number): void {
    this.#rung = users;
    this.#render(this.voice.snapshot);
  }

  /** What keeps one's own video from the others. */
  #renderQueue({ camera, screen, cpuLimited }: VoiceSnapshot): void {
    const place = camera.queue ?? screen.queue;
    const isHeldBack = camera.status === "heldBack" || screen.status === "heldBack";
    setText(this.#queue, place
        ? t.call.queue(place.position, place.current, place.max)
        : isHeldBack
          ? t.call.heldBack
          : cpuLimited
            ? t.call.cpuLimited
            : "",
    );
  }

  #onStats(stats: CallStats): void {
    this.#stats.add(stats);
    this.#quality.dataset["grade"] = stats.grade;
    const word = GRADE_WORDS[stats.grade];
    setText(this.#quality.querySelector("span") ?? this.#quality, word);
    this.#quality.setAttribute("aria-label", t.call.quality(word));
  }

  #onNotice(notice: Parameters<typeof describeNotice>[0]): void {
    // The queue has a place of its own on the page.
    if (notice.kind === "queued") return;
    const message = describeNotice(notice, (sessionId) => this.#nameOf(sessionId));
    if (notice.kind === "slotGranted") {
      toast(message, { label: t.call.shareNow, run: () => this.#run("screen") });
    } else if (notice.kind === "mutedByServer") {
      toast(message, { label: t.call.unmute, run: () => this.#run("mute") });
    } else {
      toast(message);
    }
  }
}

/** As a clock shows it: 0:07, 12:30, 1:02:03. */
function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}
