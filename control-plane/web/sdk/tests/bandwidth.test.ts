import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { measureBandwidth, RISE_MS } from "../src/runtime/bandwidth";

const ENOUGH = 1_200_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** What is found, and how many looks that took, where the looks see these in turn and then the last one. */
async function measured(first: number | null, ...later: (number | null)[]) {
  let looks = 0;
  const look = async () => later[Math.min(looks++, later.length - 1)] ?? null;
  const measuring = measureBandwidth(first, ENOUGH, look);
  await vi.runAllTimersAsync();
  return [await measuring, looks];
}

it("an estimate that is enough is not waited for", async () => {
  expect(await measured(2_500_000, 0)).toEqual([2_500_000, 0]);
});

it("an estimate of a device that was busy at first is given time to rise", async () => {
  expect(await measured(900_000, 1_000_000, 1_400_000, 2_000_000)).toEqual([1_400_000, 2]);
});

it("a narrow link stays narrow, and one of which nothing is known unknown", async () => {
  expect(await measured(900_000, 400_000, 300_000)).toEqual([300_000, RISE_MS / 1_000]);
  expect(await measured(400_000, null)).toEqual([400_000, RISE_MS / 1_000]);
  expect(await measured(null, null)).toEqual([null, RISE_MS / 1_000]);
});
