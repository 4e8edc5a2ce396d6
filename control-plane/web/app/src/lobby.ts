import { VoiceError } from "@railgun/voice";
import { invitedTo, kept } from "./address";
import { DevicePickers } from "./device-pickers";
import { h, icon, setIcon, setText } from "./dom";
import { InviteDialog } from "./invite-dialog";
import { initialOf } from "./names";
import { preferences } from "./preferences";
import { describe } from "./sentences";
import { SetupCheck } from "./setup-check";
import { canInvite, nameInToken, tokenFor, type Tier } from "./token";
import { toast } from "./toasts";

export interface JoinForm {
  name: string;
  channel: string;
  tier: Tier;
  muted: boolean;
  camera: boolean;
}

const CHANNEL_PATTERN = "[A-Za-z0-9._\\-]+";

/** Before a call: who, where, with which devices, and does all of it work? */
export class Lobby {
  readonly element: HTMLElement;
  #form: HTMLFormElement;
  #button: HTMLButtonElement;
  #pickers: DevicePickers;
  #check: SetupCheck;
  #preview: HTMLVideoElement;
  #stage: HTMLElement;
  #invite = new InviteDialog();
  #micButton: HTMLButtonElement;
  #cameraButton: HTMLButtonElement;
  #muted = false;
  #cameraOn = false;
  #track: MediaStreamTrack | null = null;

  constructor(private readonly handlers: { join(form: JoinForm): Promise<void> }) {
    const { values } = preferences;
    this.#pickers = new DevicePickers("lobby", (kind, deviceId) => {
      if (kind === "microphone") void this.#check.useMicrophone(deviceId);
      if (kind === "camera" && this.#cameraOn) void this.#startPreview();
    });
    this.#check = new SetupCheck(
      {
        token: () =>
          tokenFor(this.#text("name") || "Somebody", this.#text("tier") === "free" ? "free" : "pro"),
      },
      () => preferences.values,
      () => void this.#pickers.refresh(),
    );

    this.#preview = h("video", {
      autoplay: true,
      playsinline: true,
      muted: true,
      hidden: true,
      "aria-label": "Preview of your camera",
    });
    this.#preview.muted = true;
    this.#micButton = h(
      "button",
      { type: "button", class: "round", onclick: () => this.#setMuted(!this.#muted) },
      icon("mic"),
    );
    this.#cameraButton = h(
      "button",
      { type: "button", class: "round", onclick: () => void this.#setCamera(!this.#cameraOn) },
      icon("camera-off"),
    );
    const initial = h("div", { class: "avatar large", "aria-hidden": "true" }, "?");
    this.#stage = h(
      "div",
      { class: "preview" },
      initial,
      this.#preview,
      h("p", { class: "preview-hint" }, "Your camera is off"),
      h("div", { class: "preview-controls" }, this.#micButton, this.#cameraButton),
    );

    const ownName = nameInToken() ?? values.name;
    const name = h("input", {
      id: "name",
      name: "name",
      required: true,
      maxlength: 40,
      autocomplete: "nickname",
      placeholder: "How others will see you",
      value: ownName,
      oninput: () => setText(initial, initialOf(name.value)),
    });
    setText(initial, initialOf(ownName));
    this.#button = h("button", { type: "submit", class: "primary wide" }, "Join call");
    this.#form = h(
      "form",
      { class: "join", "aria-label": "Join a call", onsubmit: (event: Event) => void this.#submit(event) },
      h("h1", {}, "Ready to talk?"),
      h("p", { class: "lead" }, "Voice is free for everyone. Camera and screen sharing come with Pro."),
      h("label", { for: "name" }, "Your name"),
      name,
      h("label", { for: "channel" }, "Channel"),
      h("input", {
        id: "channel",
        name: "channel",
        required: true,
        maxlength: 40,
        value: invitedTo() ?? values.channel,
        pattern: CHANNEL_PATTERN,
        title: "Letters, digits, dots, dashes and underscores",
        autocomplete: "off",
        autocapitalize: "none",
      }),
      tierChoice(),
      this.#button,
      canInvite() &&
        h(
          "button",
          { type: "button", class: "quiet wide", onclick: () => this.#invite.open(this.#text("channel")) },
          "Invite somebody",
        ),
      h(
        "p",
        { class: "hint" },
        icon("lock"),
        "Encrypted between you and the server, not from end to end. Nothing is recorded.",
      ),
    );
    this.element = h(
      "div",
      { class: "lobby" },
      h(
        "header",
        { class: "brand" },
        h("img", { src: "/icon.svg", alt: "", width: 28, height: 28 }),
        h("span", {}, "Rail Gun"),
      ),
      h(
        "main",
        { class: "lobby-main" },
        h(
          "section",
          { class: "setup", "aria-label": "Your devices" },
          this.#stage,
          h(
            "div",
            { class: "pickers" },
            this.#pickers.field("microphone"),
            this.#pickers.field("speaker"),
            this.#pickers.field("camera"),
          ),
          this.#check.element,
        ),
        this.#form,
      ),
      this.#invite.element,
    );
    this.#renderButtons();
  }

  /** Shown; the name is the first thing to type. */
  open(): void {
    this.#button.disabled = false;
    setText(this.#button, "Join call");
    void this.#pickers.open();
    this.#check.reset();
    const name = this.#form.querySelector<HTMLInputElement>("#name");
    if (name?.value) this.#button.focus();
    else name?.focus();
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault();
    const tier: Tier = this.#text("tier") === "free" ? "free" : "pro";
    const form: JoinForm = {
      name: this.#text("name"),
      channel: this.#text("channel"),
      tier,
      muted: this.#muted,
      camera: this.#cameraOn && tier === "pro",
    };
    this.#button.disabled = true;
    setText(this.#button, "Joining…");
    this.#stopPreview();
    this.#pickers.close();
    // The tests have the microphone and a session of their own.
    await this.#check.close();
    await this.handlers.join(form);
    if (!this.element.isConnected) return;
    this.#button.disabled = false;
    setText(this.#button, "Join call");
    if (this.#cameraOn) void this.#startPreview();
  }

  #setMuted(muted: boolean): void {
    this.#muted = muted;
    this.#renderButtons();
  }

  async #setCamera(on: boolean): Promise<void> {
    this.#cameraOn = on;
    if (on) await this.#startPreview();
    else this.#stopPreview();
    this.#renderButtons();
  }

  async #startPreview(): Promise<void> {
    this.#stopPreview();
    const { camera } = preferences.values;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: {
          width: { ideal: 1280 },
          height: { ideal: 720 },
          ...(camera && { deviceId: { exact: camera } }),
        },
      });
      this.#track = stream.getVideoTracks()[0] ?? null;
      this.#preview.srcObject = stream;
      this.#preview.hidden = false;
      void this.#pickers.refresh();
    } catch (error) {
      this.#cameraOn = false;
      toast({ text: describe(VoiceError.from(error), "camera"), tone: "bad" });
    }
    this.#renderButtons();
  }

  #stopPreview(): void {
    this.#track?.stop();
    this.#track = null;
    this.#preview.srcObject = null;
    this.#preview.hidden = true;
  }

  #renderButtons(): void {
    const mic = this.#muted ? "Join with microphone on" : "Join muted";
    this.#micButton.setAttribute("aria-label", mic);
    this.#micButton.title = mic;
    this.#micButton.classList.toggle("off", this.#muted);
    setIcon(this.#micButton, this.#muted ? "mic-off" : "mic");
    const camera = this.#cameraOn ? "Turn camera preview off" : "Turn camera preview on";
    this.#cameraButton.setAttribute("aria-label", camera);
    this.#cameraButton.title = camera;
    this.#cameraButton.classList.toggle("off", !this.#cameraOn);
    setIcon(this.#cameraButton, this.#cameraOn ? "camera" : "camera-off");
    this.#stage.classList.toggle("live", this.#cameraOn);
  }

  #text(name: string): string {
    return String(new FormData(this.#form).get(name) ?? "").trim();
  }
}

/** A token of one's own says who one is and what one may do; without, the trial's tier can be chosen. */
function tierChoice(): HTMLElement {
  const option = (value: Tier, title: string, text: string, checked: boolean) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "tier", value, checked }),
      h("span", {}, h("strong", {}, title), h("small", {}, text)),
    );
  return h(
    "fieldset",
    { class: "tiers", hidden: kept("token") !== null },
    h("legend", {}, "Try it as"),
    option("pro", "Pro", "Voice and video", true),
    option("free", "Free", "Voice only", false),
  );
}
