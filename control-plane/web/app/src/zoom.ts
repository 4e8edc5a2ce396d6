import { h } from "./dom";

const STEPS = [1, 2, 3] as const;
const MAX = 4;
/** Of a wheel's notch, or a pinch on a touch pad, which browsers tell as one with the Ctrl key. */
const NOTCH = 1.2;

/** A picture of which a part is shown larger: the rest is scrolled to by touch, by the arrow keys or by dragging. */
export class Zoom {
  readonly element = h("div", { class: "pane", onwheel: (event: WheelEvent) => this.#onWheel(event) });
  #factor = 1;

  constructor(
    private readonly name: string,
    private readonly changed: () => void,
  ) {
    let held: { x: number; y: number } | null = null;
    this.element.addEventListener("pointerdown", (event) => {
      // A finger scrolls by itself.
      if (event.pointerType !== "mouse" || this.#factor === 1) return;
      held = { x: event.clientX, y: event.clientY };
      this.element.setPointerCapture(event.pointerId);
    });
    this.element.addEventListener("pointermove", ({ clientX: x, clientY: y }) => {
      if (!held) return;
      this.element.scrollBy(held.x - x, held.y - y);
      held = { x, y };
    });
    for (const end of ["pointerup", "pointercancel"] as const) this.element.addEventListener(end, () => (held = null));
  }

  get factor(): number {
    return this.#factor;
  }

  /** The next step, or all of it after the last. */
  step(): void {
    const { clientWidth, clientHeight } = this.element;
    this.#become(STEPS.find((it) => it > this.#factor) ?? 1, clientWidth / 2, clientHeight / 2);
  }

  reset(): void {
    if (this.#factor !== 1) this.#become(1, 0, 0);
  }

  #onWheel(event: WheelEvent): void {
    if (!event.ctrlKey) return;
    // Otherwise the browser makes the whole page larger.
    event.preventDefault();
    const factor = this.#factor * (event.deltaY < 0 ? NOTCH : 1 / NOTCH);
    const { left, top } = this.element.getBoundingClientRect();
    this.#become(Math.min(MAX, Math.max(1, factor)), event.clientX - left, event.clientY - top);
  }

  /** What is at this place of the element stays there. */
  #become(factor: number, x: number, y: number): void {
    const { element } = this;
    const grown = factor / this.#factor;
    const [left, top] = [(element.scrollLeft + x) * grown - x, (element.scrollTop + y) * grown - y];
    this.#factor = factor;
    element.style.setProperty("--zoom", String(factor));
    element.classList.toggle("zoomed", factor > 1);
    if (factor > 1) {
      element.tabIndex = 0;
      element.setAttribute("role", "group");
      element.setAttribute("aria-label", this.name);
    } else for (const name of ["tabindex", "role", "aria-label"]) element.removeAttribute(name);
    element.scrollTo(left, top);
    this.changed();
  }
}
