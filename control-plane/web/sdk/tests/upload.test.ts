import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { measureUpload } from "../src/runtime/upload";

const RTT_MS = 40;

/** A line of so many bits per second: one message after the other. */
function line(rate: number) {
  let free = 0;
  let largest = 0;
  const request = async (_name: string, { padding = "" }: { padding?: string }) => {
    largest = Math.max(largest, padding.length);
    free = Math.max(free, performance.now()) + (8_000 * padding.length) / rate;
    const wait = free + RTT_MS - performance.now();
    if (wait > 5_000) {
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      throw new VoiceError("TIMEOUT", "voice:ping was not answered in time");
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    return {};
  };
  return { request: request as never, largest: () => largest };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

it.each([64_000, 300_000, 1_000_000, 5_000_000, 40_000_000])("an upload of %d bit/s is found", async (rate) => {
  const { request, largest } = line(rate);
  const start = performance.now();
  const measuring = measureUpload(request, RTT_MS);
  await vi.runAllTimersAsync();
  const found = await measuring;
  expect(Math.abs((found ?? 0) / rate - 1)).toBeLessThan(0.15);
  expect(largest()).toBeLessThan(64 * 1024);
  expect(performance.now() - start).toBeLessThan(2_500);
});

it("a line on which nothing gets through in time is slow, and one that is lost is unknown", async () => {
  const slow = measureUpload(line(5_000).request, RTT_MS);
  await vi.runAllTimersAsync();
  expect(await slow).toBeLessThan(20_000);
  const lost = (() => Promise.reject(new VoiceError("UNREACHABLE", ""))) as never;
  expect(await measureUpload(lost, RTT_MS)).toBeNull();
});
