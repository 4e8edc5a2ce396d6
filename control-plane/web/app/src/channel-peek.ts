import { type ChannelPerson, deviceIdOfTab, VoiceService } from "@railgun/voice";
import { kept } from "./address";
import { h } from "./dom";
import { hueOf, initialOf } from "./names";
import { t } from "./texts";

const NAMES_MAX = 3;
const DOTS_MAX = 5;
/** Somebody who types a channel's name has paused. */
const TYPED_MS = 350;

/** Who is in the channel of the form, before joining it. */
export class ChannelPeek {
  readonly element = h("p", { class: "peek", role: "status", hidden: true });
  #voice: VoiceService | null = null;
  #unwatch: () => void = () => undefined;
  #channel = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly token: () => Promise<string>) {}

  /** `channel`: what the form names now; empty: nothing that could be one. */
  look(channel: string): void {
    clearTimeout(this.#timer);
    if (channel === this.#channel) return;
    this.#show(null);
    this.#timer = setTimeout(() => this.#watch(channel), TYPED_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#unwatch = () => undefined;
    this.#channel = "";
    this.#show(null);
  }

  #watch(channel: string): void {
    this.#unwatch();
    this.#unwatch = () => undefined;
    this.#channel = channel;
    // Without either the server would count a wrong secret.
    if (!channel || (kept("token") === null && kept("secret") === null)) return;
    this.#voice ??= this.#listen();
    this.#unwatch = this.#voice.watchChannel(channel);
  }

  #listen(): VoiceService {
    const voice = new VoiceService({ token: this.token, deviceId: deviceIdOfTab() });
    voice.on("change", ({ channels }) => this.#show(channels[this.#channel]?.people ?? null));
    return voice;
  }

  #show(people: ChannelPerson[] | null): void {
    this.element.hidden = people === null;
    if (!people) {
      this.element.replaceChildren();
      return;
    }
    const names = people.map(({ name, userId }) => name ?? userId);
    const dots = names.slice(0, DOTS_MAX).map((name) => {
      const dot = h("span", { class: "dot", "aria-hidden": "true" }, initialOf(name));
      dot.style.setProperty("--hue", String(hueOf(name)));
      return dot;
    });
    const text = names.length > 0 ? t.join.there(names.slice(0, NAMES_MAX), names.length) : t.join.nobodyThere;
    this.element.replaceChildren(...dots, h("span", {}, text));
  }
}
