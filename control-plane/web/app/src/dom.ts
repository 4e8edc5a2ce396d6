/** The little of a framework that this page needs. */

type Attributes = Record<string, string | number | boolean | undefined | ((event: never) => void)>;
type Child = Node | string | null | undefined | false;

/** An element. Attributes that begin with `on` are listeners; true and false set and leave out. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value as EventListener);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children.filter((child): child is Node | string => !!child || child === ""));
  return element;
}

/** A slider from 0 to `max`, filled up to where it stands. */
export function range(
  attributes: { max: number; value: number; step?: number; "aria-label"?: string },
  change: (value: number) => void,
): HTMLInputElement {
  const input = h("input", {
    type: "range",
    min: 0,
    ...attributes,
    oninput: () => {
      fill(input);
      change(Number(input.value));
    },
  });
  fill(input);
  return input;
}

export function setRange(input: HTMLInputElement, value: number): void {
  if (input.value === String(value)) return;
  input.value = String(value);
  fill(input);
}

function fill(input: HTMLInputElement): void {
  input.style.setProperty("--fill", `${(100 * Number(input.value)) / Number(input.max)}%`);
}

/** A picture from the sprite in index.html; decoration unless it has a label. */
export function icon(name: string, label?: string): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(element: Element, name: string): void {
  const use = element.querySelector(":scope > .icon use, :scope > .glyph > .icon use");
  if (use?.getAttribute("href") !== `#icon-${name}`) use?.setAttribute("href", `#icon-${name}`);
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

export function show(parent: HTMLElement, child: HTMLElement): void {
  parent.replaceChildren(child);
}

/** Children by key, made once and kept: what plays must not be torn out of the page. */
export class Keyed<Item, Made extends { element: HTMLElement }> {
  #made = new Map<string, Made>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly make: (item: Item, key: string) => Made,
    private readonly update: (made: Made, item: Item) => void,
    private readonly drop: (made: Made) => void = () => undefined,
  ) {}

  render(items: Map<string, Item>): void {
    for (const [key, made] of this.#made) {
      if (items.has(key)) continue;
      this.#made.delete(key);
      this.drop(made);
      made.element.remove();
    }
    let position = 0;
    for (const [key, item] of items) {
      const made = this.#made.get(key) ?? this.make(item, key);
      this.#made.set(key, made);
      const there = this.parent.children[position];
      if (there !== made.element) this.parent.insertBefore(made.element, there ?? null);
      this.update(made, item);
      position += 1;
    }
  }

  get(key: string): Made | undefined {
    return this.#made.get(key);
  }

  values(): IterableIterator<Made> {
    return this.#made.values();
  }
}
