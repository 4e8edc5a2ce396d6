import { type Gestures, REACTIONS } from "@railgun/voice/gestures";
import { h, icon, setText } from "./dom";
import { t } from "./texts";

/** Reactions and the raised hand, in a menu above the toolbar; and word of others' for those who do not see it. */
export class GestureMenu {
  readonly element: HTMLElement;
  /** What a screen reader says of others' hands and reactions. */
  readonly said = h("p", { class: "hidden", role: "status" });
  #hand = h(
    "button",
    { type: "button", class: "hand", "aria-pressed": "false", onclick: () => this.toggleHand() },
    icon("hand"),
    h("span", {}, t.gestures.raise),
  );

  constructor(
    private readonly gestures: Gestures,
    private readonly failed: (error: unknown) => void,
  ) {
    const reactions = REACTIONS.map((emoji) =>
      h(
        "button",
        {
          type: "button",
          class: "emoji",
          "aria-label": t.gestures.reactWith(emoji),
          onclick: () => void gestures.react(emoji).catch(failed),
        },
        emoji,
      ),
    );
    this.element = h(
      "div",
      { class: "gestures", popover: "auto", role: "group", "aria-label": t.gestures.group },
      ...reactions,
      this.#hand,
    );
  }

  /** `button`: what opens it, which browsers tell assistive technology and give the focus back to. */
  opensBy(button: HTMLButtonElement): void {
    this.element.id = "gestures";
    button.setAttribute("popovertarget", this.element.id);
  }

  toggleHand(): void {
    this.gestures.setHand(!this.gestures.handRaised).catch(this.failed);
  }

  render(): void {
    const { handRaised } = this.gestures;
    this.#hand.setAttribute("aria-pressed", String(handRaised));
    const text = this.#hand.querySelector("span");
    if (text) setText(text, handRaised ? t.gestures.lower : t.gestures.raise);
  }

  say(text: string): void {
    setText(this.said, text);
  }
}
