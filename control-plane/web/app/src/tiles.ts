/** The pictures: one tile a person, and one more for each shared screen. */

export interface Tile {
  key: string;
  name: string;
  own: boolean;
  muted: boolean;
  screen: boolean;
  video: MediaStreamTrack | undefined;
}

/** Brings the tiles in `root` in line with `tiles`, keeping playing videos as they are. */
export function renderTiles(root: HTMLElement, tiles: Tile[]): void {
  const wanted = new Map(tiles.map((tile) => [tile.key, tile]));
  for (const element of [...root.children] as HTMLElement[]) {
    if (!wanted.has(element.dataset["key"] ?? "")) element.remove();
  }
  for (const tile of tiles) {
    const present = ([...root.children] as HTMLElement[]).find((child) => child.dataset["key"] === tile.key);
    const element = present ?? root.appendChild(newTile(tile));
    updateTile(element, tile);
  }
}

function newTile({ key, name, own, screen }: Tile): HTMLElement {
  const element = document.createElement("figure");
  element.className = "tile";
  element.dataset["key"] = key;
  element.classList.toggle("own", own);
  element.classList.add(screen ? "screen" : "camera");

  const initial = document.createElement("div");
  initial.className = "initial";
  initial.setAttribute("aria-hidden", "true");
  initial.textContent = [...name][0]?.toUpperCase() ?? "?";

  const caption = document.createElement("figcaption");
  caption.className = "caption";
  const text = document.createElement("span");
  text.textContent = captionOf(name, own, screen);
  caption.append(text);
  element.append(initial, caption);
  return element;
}

function updateTile(element: HTMLElement, tile: Tile): void {
  showVideo(element, tile);
  const caption = element.querySelector<HTMLElement>(".caption");
  const mark = caption?.querySelector(".mark");
  if (tile.muted && !mark) caption?.prepend(icon("icon-mic-off", "muted"));
  if (!tile.muted) mark?.remove();
}

function showVideo(element: HTMLElement, { video: track, name }: Tile): void {
  const present = element.querySelector("video");
  if (!track) {
    present?.remove();
    return;
  }
  if (present?.dataset["track"] === track.id) return;
  const video = present ?? document.createElement("video");
  video.autoplay = true;
  video.playsInline = true;
  // Sound has elements of its own; a muted video may always start by itself.
  video.muted = true;
  video.dataset["track"] = track.id;
  video.setAttribute("aria-label", `Video of ${name}`);
  video.srcObject = new MediaStream([track]);
  if (!present) element.querySelector(".initial")?.after(video);
}

/** A small picture with a text for those who do not see it. */
export function icon(id: string, label: string): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "mark");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${id}`);
  svg.append(use);
  return svg;
}

function captionOf(name: string, own: boolean, screen: boolean): string {
  if (screen) return own ? "Your screen" : `${name}'s screen`;
  return own ? `${name} (you)` : name;
}
