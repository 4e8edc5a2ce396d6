import { h } from "./dom";

/** A picture over somebody's initial; the initial stays where it cannot be loaded. */
export function picture(url: string | null): HTMLImageElement | null {
  if (!url) return null;
  const image = h("img", { class: "picture", alt: "", referrerpolicy: "no-referrer", src: url, onerror: () => image.remove() });
  return image;
}
