import { VoiceError } from "@railgun/voice";
import { blur, canBlur } from "@railgun/voice/background";
import { invitedTo, kept, keyOf } from "./address";
import { ChannelPeek } from "./channel-peek";
import { DevicePickers } from "./device-pickers";
import { h, icon, setIcon, setText } from "./dom";
import { InviteDialog } from "./invite-dialog";
import { initialOf } from "./names";
import { Option } from "./option";
import { preferences } from "./preferences";
import { describe } from "./sentences";
import { SetupCheck } from "./setup-check";
import { canInvite, nameInToken, tokenFor, type Tier } from "./token";
import { toast } from "./toasts";
import { LANGUAGES, t } from "./texts";

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
  #peek: ChannelPeek;
  #preview: HTMLVideoElement;
  #stage: HTMLElement;
  #invite = new InviteDialog();
  #denoise = new Option(t.settings.denoise, t.settings.denoiseText, (on) => {
    preferences.save({ denoise: on });
    return on;
  });
  #blur = new Option(t.settings.blur, t.settings.blurText, (on) => {
    preferences.save({ blur: on });
    this.#blurPreview();
    return on;
  });
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
    const token = () =>
      tokenFor(this.#text("name") || t.somebody, this.#text("tier") === "free" ? "free" : "pro");
    this.#peek = new ChannelPeek(token, (channel) => this.answer(channel));
    this.#check = new SetupCheck(
      { token },
      () => preferences.values,
      () => void this.#pickers.refresh(),
    );

    this.#preview = h("video", {
      autoplay: true,
      playsinline: true,
      muted: true,
      hidden: true,
      "aria-label": t.join.preview,
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
      h("p", { class: "preview-hint" }, t.join.cameraIsOff),
      h("div", { class: "preview-controls" }, this.#micButton, this.#cameraButton),
    );

    const ownName = nameInToken() ?? values.name;
    const name = h("input", {
      id: "name",
      name: "name",
      required: true,
      maxlength: 40,
      autocomplete: "nickname",
      placeholder: t.join.namePlaceholder,
      value: ownName,
      oninput: () => setText(initial, initialOf(name.value)),
    });
    setText(initial, initialOf(ownName));
    this.#button = h("button", { type: "submit", class: "primary wide" }, t.join.submit);
    this.#form = h(
      "form",
      { class: "join", "aria-label": t.join.form, onsubmit: (event: Event) => void this.#submit(event) },
      h("h1", {}, t.join.title),
      h("p", { class: "lead" }, t.join.lead),
      h("label", { for: "name" }, t.join.name),
      name,
      h("label", { for: "channel" }, t.join.channel),
      h("input", {
        id: "channel",
        name: "channel",
        required: true,
        maxlength: 40,
        value: invitedTo() ?? values.channel,
        pattern: CHANNEL_PATTERN,
        title: t.join.channelPattern,
        autocomplete: "off",
        autocapitalize: "none",
        oninput: () => this.#lookAtChannel(),
      }),
      this.#peek.element,
      tierChoice(),
      this.#button,
      canInvite() &&
        h(
          "button",
          { type: "button", class: "quiet wide", onclick: () => this.#invite.open(this.#text("channel"), keyOf(this.#text("channel"))) },
          t.join.invite,
        ),
      h(
        "p",
        { class: "hint" },
        icon("lock"),
        keyOf(invitedTo() ?? values.channel) === null ? t.join.encryption : t.join.encryptionKey,
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
        languageChoice(),
      ),
      h(
        "main",
        { class: "lobby-main" },
        h(
          "section",
          { class: "setup", "aria-label": t.join.devices },
          this.#stage,
          h(
            "div",
            { class: "pickers" },
            this.#pickers.field("microphone"),
            this.#pickers.field("speaker"),
            this.#pickers.field("camera"),
          ),
          h("div", { class: "device-options" }, this.#denoise.element, this.#blur.element),
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
    setText(this.#button, t.join.submit);
    // A call may have changed them.
    this.#denoise.checked = preferences.values.denoise;
    this.#blur.checked = preferences.values.blur;
    this.#blur.element.hidden = !preferences.values.blur;
    void this.#pickers.open();
    this.#check.reset();
    this.#peek.open();
    this.#lookAtChannel();
    const name = this.#form.querySelector<HTMLInputElement>("#name");
    if (name?.value) this.#button.focus();
    else name?.focus();
  }

  /** Joins the channel of a call to the user. */
  answer(channel: string): void {
    const input = this.#form.querySelector<HTMLInputElement>("#channel");
    if (input) input.value = channel;
    this.#form.requestSubmit();
  }

  /** Joins as the form stands, under some name. */
  joinAtOnce(): void {
    const name = this.#form.querySelector<HTMLInputElement>("#name");
    if (name && !name.value) name.value = t.somebody;
    this.#form.requestSubmit();
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
    setText(this.#button, t.join.joining);
    this.#stopPreview();
    this.#pickers.close();
    this.#peek.close();
    // The tests have the microphone and a session of their own.
    await this.#check.close();
    await this.handlers.join(form);
    if (!this.element.isConnected) return;
    this.#button.disabled = false;
    setText(this.#button, t.join.submit);
    this.#peek.open();
    this.#lookAtChannel();
    if (this.#cameraOn) void this.#startPreview();
  }

  #lookAtChannel(): void {
    const input = this.#form.querySelector<HTMLInputElement>("#channel");
    this.#peek.look(input?.validity.valid ? input.value : "");
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
      this.#blur.element.hidden = !preferences.values.blur && !canBlur(this.#track);
      if (preferences.values.blur) this.#blurPreview();
      void this.#pickers.refresh();
    } catch (error) {
      this.#cameraOn = false;
      toast({ text: describe(VoiceError.from(error), "camera"), tone: "bad" });
    }
    this.#renderButtons();
  }

  #blurPreview(): void {
    if (this.#track) void blur(this.#track, preferences.values.blur).catch(() => undefined);
  }

  #stopPreview(): void {
    this.#track?.stop();
    this.#track = null;
    this.#preview.srcObject = null;
    this.#preview.hidden = true;
  }

  #renderButtons(): void {
    const mic = this.#muted ? t.join.micOn : t.join.micOff;
    this.#micButton.setAttribute("aria-label", mic);
    this.#micButton.title = mic;
    this.#micButton.classList.toggle("off", this.#muted);
    setIcon(this.#micButton, this.#muted ? "mic-off" : "mic");
    const camera = this.#cameraOn ? t.join.previewOff : t.join.previewOn;
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

/** Another language is another page: whoever is in a call does not want it loaded anew. */
function languageChoice(): HTMLElement {
  const select = h(
    "select",
    {
      "aria-label": t.language,
      onchange: () => {
        preferences.save({ language: select.value });
        location.reload();
      },
    },
    ...LANGUAGES.map(({ code, name }) => h("option", { value: code, lang: code, selected: code === t.code }, name)),
  );
  return h("div", { class: "language" }, select);
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
    h("legend", {}, t.join.tryAs),
    option("pro", t.join.pro, t.join.proText, true),
    option("free", t.join.free, t.join.freeText, false),
  );
}
