import { h } from "./dom";

/** A box to tick, with what it does. */
export class Option {
  readonly element: HTMLElement;
  readonly #box: HTMLInputElement;

  /** `change`: gives what it is afterwards. */
  constructor(title: string, text: string, change: (on: boolean) => boolean | Promise<boolean>) {
    this.#box = h("input", {
      type: "checkbox",
      onchange: async () => {
        this.#box.checked = await change(this.#box.checked);
      },
    });
    this.element = h("label", { class: "check" }, this.#box, h("span", {}, title, h("small", {}, text)));
  }

  set checked(on: boolean) {
    this.#box.checked = on;
  }
}
