/** Width by height of a tile. */
const WIDE = [16 / 9] as const;
/** On a phone that is held upright faces are cut at the sides where that makes them larger. */
const UPRIGHT = [16 / 9, 4 / 3, 1, 4 / 5] as const;
/** CSS pixels; a narrower box that is higher than wide is a phone's. */
const PHONE_WIDTH = 480;

/** Columns, and width and shape of the tiles with which `count` of them are largest in a box, in pixels. */
export function bestGrid(
  count: number,
  width: number,
  height: number,
  gap: number,
): { columns: number; width: number; ratio: number } {
  const isUpright = width < PHONE_WIDTH && height > 1.2 * width;
  let best = { columns: 1, width: 0, ratio: 16 / 9, area: 0 };
  for (const ratio of isUpright ? UPRIGHT : WIDE) {
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns);
      const byWidth = (width - gap * (columns - 1)) / columns;
      const byHeight = ((height - gap * (rows - 1)) / rows) * ratio;
      const tile = Math.min(byWidth, byHeight);
      const area = tile ** 2 / ratio;
      if (tile > 0 && area > best.area) best = { columns, width: tile, ratio, area };
    }
  }
  return { columns: best.columns, width: best.width, ratio: best.ratio };
}
