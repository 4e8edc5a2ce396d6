import { describe, expect, it } from "vitest";
import { bestGrid } from "../src/grid";

const GAP = 10;
const shape = (count: number, width: number, height: number) => {
  const { columns, width: tile, ratio } = bestGrid(count, width, height, GAP);
  return { columns, rows: Math.ceil(count / columns), tile, ratio };
};

describe("the grid", () => {
  it("gives one person everything", () => {
    expect(shape(1, 1600, 900)).toEqual({ columns: 1, rows: 1, tile: 1600, ratio: 16 / 9 });
  });

  it("puts two side by side on a desk and one above the other on a phone", () => {
    expect(shape(2, 1600, 700).columns).toBe(2);
    expect(shape(2, 380, 640).columns).toBe(1);
  });

  it("makes tiles taller on a phone that is held upright, where faces become larger by it", () => {
    for (const count of [1, 3, 4, 6, 8]) {
      const { width, ratio } = bestGrid(count, 370, 560, GAP);
      // As it would be with tiles of 16:9 alone, which a box as wide has.
      const wide = bestGrid(count, 370, 370, GAP);
      expect(wide.ratio).toBe(16 / 9);
      expect(width ** 2 / ratio).toBeGreaterThan(wide.width ** 2 / wide.ratio);
    }
    expect(bestGrid(1, 370, 560, GAP).ratio).toBeLessThan(1);
    expect(bestGrid(1, 560, 370, GAP).ratio).toBe(16 / 9);
    expect(bestGrid(4, 768, 1024, GAP).ratio).toBe(16 / 9);
  });

  it("always fits, for any number of people and any window", () => {
    for (let count = 1; count <= 25; count += 1) {
      for (const [width, height] of [
        [1280, 640],
        [380, 640],
        [320, 300],
        [2560, 1200],
      ] as const) {
        const { columns, rows, tile, ratio } = shape(count, width, height);
        expect(columns * tile + GAP * (columns - 1)).toBeLessThanOrEqual(width + 1e-6);
        expect((rows * tile) / ratio + GAP * (rows - 1)).toBeLessThanOrEqual(height + 1e-6);
        expect(tile).toBeGreaterThan(40);
      }
    }
  });
});
