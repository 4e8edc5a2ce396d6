import { describe, expect, it } from "vitest";
import { bestGrid } from "../src/grid";

const GAP = 10;
const shape = (count: number, width: number, height: number) => {
  const { columns, width: tile } = bestGrid(count, width, height, GAP);
  return { columns, rows: Math.ceil(count / columns), tile };
};

describe("the grid", () => {
  it("gives one person everything", () => {
    expect(shape(1, 1600, 900)).toEqual({ columns: 1, rows: 1, tile: 1600 });
  });

  it("puts two side by side on a desk and one above the other on a phone", () => {
    expect(shape(2, 1600, 700).columns).toBe(2);
    expect(shape(2, 380, 640).columns).toBe(1);
  });

  it("always fits, for any number of people and any window", () => {
    for (let count = 1; count <= 25; count += 1) {
      for (const [width, height] of [
        [1280, 640],
        [380, 640],
        [320, 300],
        [2560, 1200],
      ] as const) {
        const { columns, rows, tile } = shape(count, width, height);
        expect(columns * tile + GAP * (columns - 1)).toBeLessThanOrEqual(width + 1e-6);
        expect((rows * tile * 9) / 16 + GAP * (rows - 1)).toBeLessThanOrEqual(height + 1e-6);
        expect(tile).toBeGreaterThan(40);
      }
    }
  });
});
