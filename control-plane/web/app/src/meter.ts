import { h } from "./dom";

const BARS = 24;
const QUIETEST_DB = -60;

/** A row of lights for a level. */
export class Meter {
  readonly element: HTMLElement;
  #bars: HTMLElement[];
  #shown = 0;

  constructor(label: string) {
    this.#bars = Array.from({ length: BARS }, (_, index) =>
      h("i", { class: index > BARS * 0.85 ? "hot" : index > BARS * 0.65 ? "warm" : "" }),
    );
    this.element = h(
      "div",
      {
        class: "meter",
        role: "meter",
        "aria-label": label,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": 0,
      },
      ...this.#bars,
    );
  }

  /** `level` in dBFS. */
  show(level: number): void {
    const part = Math.max(0, Math.min(1, (level - QUIETEST_DB) / -QUIETEST_DB));
    // Falls slower than it rises, as the eye does.
    this.#shown = Math.max(part, this.#shown - 0.06);
    const lit = Math.round(this.#shown * BARS);
    for (const [index, bar] of this.#bars.entries()) bar.classList.toggle("lit", index < lit);
    this.element.setAttribute("aria-valuenow", String(Math.round(100 * this.#shown)));
  }
}
