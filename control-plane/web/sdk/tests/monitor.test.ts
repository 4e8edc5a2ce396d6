import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Monitor } from "../src/runtime/monitor";
import type { Media } from "../src/runtime/media";
import type { Health } from "../src/runtime/health";
import type { Request } from "../src/runtime/signaling";
import type { Speakers } from "../src/runtime/speakers";

/** How long the browser takes for the receiving connection's figures, in milliseconds. */
let takes: number;
let asked: number[];
let healths: Health[];
let looks: number;
let monitor: Monitor;

beforeEach(() => {
  vi.useFakeTimers();
  [takes, asked, healths, looks] = [0, [], [], 0];
  const report = new Map([["in", { id: "in", type: "inbound-rtp", trackIdentifier: "mic", packetsReceived: 0 }]]);
  const media = {
    send: { getStats: async () => new Map() },
    recv: {
      connectionState: "connected",
      getStats: async () => {
        asked.push(performance.now());
        if (takes > 0) await new Promise((resolve) => setTimeout(resolve, takes));
        return report;
      },
    },
  } as never as Media;
  const nothing = () => undefined;
  monitor = new Monitor((async () => ({})) as never as Request, { levels: () => new Map() } as never as Speakers, {
    stats: () => void (looks += 1),
    plan: nothing,
    levels: nothing,
    feedback: nothing,
    expected: () => [{ trackId: "mic", sessionId: "ada", source: "mic", heldBack: false }],
    health: (health) => healths.push(health),
    refused: nothing,
  });
  monitor.start(media);
});
afterEach(() => {
  monitor.stop();
  vi.useRealTimers();
});

it("getStats is asked once a second, for what arrives and for the network together", async () => {
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked.length, healths.length, looks]).toEqual([60, 60, 30]);
});

it("getStats takes at most a twentieth of the time, and what arrives is looked at every two seconds all the same", async () => {
  takes = 90;
  await vi.advanceTimersByTimeAsync(60_000);
  expect((asked.length * takes) / 60_000).toBeLessThanOrEqual(0.05);
  const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(2_000);
  expect(healths.at(-1)?.noSound).toBe(true);
  // Never two at once, though it takes longer than that.
  takes = 3_500;
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(40_000);
  expect(asked.length - before).toBeLessThanOrEqual(11);
});

it("nothing is said any more by a look that was under way when the call ended", async () => {
  takes = 500;
  await vi.advanceTimersByTimeAsync(1_200);
  monitor.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect([healths.length, looks]).toEqual([0, 0]);
});
