/** Which layer of a video a tile needs. */
import { LIMITS } from "./generated";

/** How a video is shown, in CSS pixels; null when it is not in sight. */
export type Viewport = { width: number; height: number; pixelRatio?: number } | null;

/** The camera's three encodings, from small to large, in bits per second; together they keep its ceiling. */
export const CAMERA_ENCODINGS = [
  { scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: "L1T3" },
  { scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: "L1T3" },
  { scaleResolutionDownBy: 1, maxBitrate: 1_850_000, scalabilityMode: "L1T3" },
] as const;

/** Text needs pixels more than frames; browsers make no smaller copies of what is marked as text. */
export const SCREEN_ENCODINGS = [{ maxBitrate: LIMITS.screenBitrate, scalabilityMode: "L1T3" }] as const;

/** Height in pixels of the camera's layers. */
const LAYER_HEIGHTS = [180, 360, 720] as const;
/** A layer may be stretched by this much before the next larger one is worth its bits. */
const STRETCH = 1.25;
/** Nobody tells more of a small tile by more pixels than twice the CSS size. */
const PIXEL_RATIO_MAX = 2;

/** The spatial layer for a tile: the smallest that fills it; null for one that is out of sight. */
export function layerFor(viewport: Viewport, layers: number): number | null {
  if (!viewport || viewport.width <= 0 || viewport.height <= 0) return null;
  const pixels = viewport.height * Math.min(viewport.pixelRatio ?? 1, PIXEL_RATIO_MAX);
  const heights = LAYER_HEIGHTS.slice(LAYER_HEIGHTS.length - layers);
  const fitting = heights.findIndex((height) => height * STRETCH >= pixels);
  return fitting === -1 ? Math.max(layers - 1, 0) : fitting;
}

/** Which encodings are sent when nobody receives more than `maxSpatialLayer`; null: nobody receives any. */
export function activeEncodings(count: number, maxSpatialLayer: number | null): boolean[] {
  return Array.from({ length: count }, (_, layer) => maxSpatialLayer !== null && layer <= maxSpatialLayer);
}
