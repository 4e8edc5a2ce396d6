const RATIO = 16 / 9;

/** Columns and tile width with which `count` tiles of 16:9 become as large as a box allows, in pixels. */
export function bestGrid(
  count: number,
  width: number,
  height: number,
  gap: number,
): { columns: number; width: number } {
  let best = { columns: 1, width: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byWidth = (width - gap * (columns - 1)) / columns;
    const byHeight = ((height - gap * (rows - 1)) / rows) * RATIO;
    const tile = Math.min(byWidth, byHeight);
    if (tile > best.width) best = { columns, width: tile };
  }
  return best;
}
