import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Media } from "../src/runtime/media";
import { StatsReader } from "../src/runtime/stats";

type Entry = Record<string, unknown> & { id: string };
const report = (...entries: Entry[]) => new Map(entries.map((entry) => [entry.id, entry]));

const path = (candidateType: string, protocol: string): Entry[] => [
  { id: "t", type: "transport", selectedCandidatePairId: "p" },
  {
    id: "p",
    type: "candidate-pair",
    localCandidateId: "l",
    currentRoundTripTime: 0.08,
    availableOutgoingBitrate: 900_000,
  },
  { id: "l", type: "local-candidate", candidateType, protocol },
];
const received = (kind: string, counters: object): Entry => ({
  id: kind,
  type: "inbound-rtp",
  kind,
  ...counters,
});

/** Two looks, two seconds apart. */
async function look(sending: Entry[][], receiving: Entry[][]) {
  let turn = 0;
  const side = (reports: Entry[][]) => ({ getStats: async () => report(...(reports[turn] ?? [])) });
  const media = { send: side(sending), recv: side(receiving) } as never as Media;
  const reader = new StatsReader();
  await reader.read(media);
  turn = 1;
  vi.advanceTimersByTime(2_000);
  return reader.read(media);
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a look at the call", () => {
  it("counts what came and was lost since the last one", async () => {
    const stats = await look(
      [path("host", "udp"), [...path("host", "udp"), { id: "o", type: "outbound-rtp", bytesSent: 16_000 }]],
      [
        [received("audio", { packetsReceived: 100, packetsLost: 10, bytesReceived: 5_000, jitter: 0.5 })],
        [received("audio", { packetsReceived: 190, packetsLost: 20, bytesReceived: 9_000, jitter: 0.004 })],
      ],
    );
    expect(stats).toMatchObject({ transport: "udp", rtt: 80, jitter: 4, packetLoss: 10, available: 900_000 });
    expect(stats.sending).toBe(64_000);
    expect(stats.receiving).toBe(16_000);
    expect(stats.mos).toBeCloseTo(3.44, 1);
    expect(stats.grade).toBe("fair");
  });

  it("takes the worse of both directions", async () => {
    const far = { id: "r", type: "remote-inbound-rtp", fractionLost: 0.25, roundTripTime: 0.3 };
    const stats = await look([[far], [far]], [[], []]);
    expect(stats.packetLoss).toBe(25);
    expect(stats.rtt).toBe(300);
  });

  it("is not misled by a stream that ended", async () => {
    const before = [received("audio", { packetsReceived: 900, packetsLost: 90, bytesReceived: 90_000 })];
    const stats = await look([[], []], [before, []]);
    expect(stats).toMatchObject({ packetLoss: 0, receiving: 0, grade: "excellent" });
  });

  it.each([
    ["relay", "udp", "turn"],
    ["relay", "tcp", "turn"],
    ["host", "tcp", "tcp"],
    ["prflx", "udp", "udp"],
  ] as const)("by %s over %s is %s", async (type, protocol, transport) => {
    expect((await look([[], path(type, protocol)], [[], []])).transport).toBe(transport);
  });
});
