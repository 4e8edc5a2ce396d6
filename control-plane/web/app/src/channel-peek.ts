import { type ChannelPerson, deviceIdOfTab, VoiceService } from "@railgun/voice";
import { kept } from "./address";
import { personDot } from "./avatar";
import { h } from "./dom";
import { showRings } from "./ring-cards";
import { t } from "./texts";

const NAMES_MAX = 3;
const DOTS_MAX = 5;
/** Somebody who types a channel's name has paused. */
const TYPED_MS = 350;

/** Who is in the channel of the form, and who calls, before joining one. */
export class ChannelPeek {
  readonly element = h("p", { class: "peek", role: "status" });
  #voice: VoiceService | null = null;
  #unwatch: () => void = () => undefined;
  #channel = "";
  #hideRings: () => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `answer`: of a call that rings meanwhile. */
  constructor(
    private readonly token: () => Promise<string>,
    private readonly answer: (channelId: string) => void,
  ) {}

  /** From now on whoever has a token of one's own can be called. */
  open(): void {
    if (kept("token") === null) return;
    this.#voice ??= this.#listen();
    this.#voice.setReachable(true);
    this.#hideRings();
    this.#hideRings = showRings(this.#voice, this.answer);
  }

  /** `channel`: what the form names now; empty: nothing that could be one. */
  look(channel: string): void {
    clearTimeout(this.#timer);
    if (channel === this.#channel) return;
    this.#show(null);
    this.#timer = setTimeout(() => this.#watch(channel), TYPED_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#hideRings();
    this.#voice?.setReachable(false);
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
    if (!people) {
      this.element.replaceChildren();
      return;
    }
    const names = people.map(({ name, userId }) => name ?? userId);
    const dots = people.slice(0, DOTS_MAX).map(({ name, userId, avatar }) => personDot(name ?? userId, avatar ?? null));
    const text = names.length > 0 ? t.join.there(names.slice(0, NAMES_MAX), names.length) : t.join.nobodyThere;
    this.element.replaceChildren(...dots, h("span", {}, text));
  }
}
