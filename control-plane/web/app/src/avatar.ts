import { h } from "./dom";
import { hueOf, initialOf } from "./names";

/** A picture over somebody's initial; the initial stays where it cannot be loaded. */
export function picture(url: string | null): HTMLImageElement | null {
  if (!url) return null;
  const image = h("img", { class: "picture", alt: "", referrerpolicy: "no-referrer", src: url, onerror: () => image.remove() });
  return image;
}

/** Somebody in a list. */
export function personDot(name: string, avatar: string | null): HTMLElement {
  const element = h("span", { class: "dot", "aria-hidden": "true" }, initialOf(name), picture(avatar));
  element.style.setProperty("--hue", String(hueOf(name)));
  return element;
}
