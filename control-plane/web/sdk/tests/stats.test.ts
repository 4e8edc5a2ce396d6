import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { calculateMOS } from "../src/quality";
import { reportOf } from "../src/runtime/monitor";
import type { Media } from "../src/runtime/media";
import { type CallStats, StatsReader } from "../src/runtime/stats";

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

/** A stream of ours with the server's report on it. */
const sends = (packetsSent: number, packetsLost: number, roundTripTime?: number): Entry[] => [
  { id: "o", type: "outbound-rtp", packetsSent },
  { id: "r", type: "remote-inbound-rtp", localId: "o", timestamp: packetsSent, packetsLost, roundTripTime },
];

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
    const stats = await look([sends(100, 10, 0.3), sends(200, 35, 0.3)], [[], []]);
    expect(stats.packetLoss).toBe(25);
    expect(stats.rtt).toBe(300);
  });

  it("takes the loss of what is sent from the cumulative number, not from the fraction", async () => {
    const [before, after] = [sends(100, 10, 0.3), sends(200, 10, 0.3)];
    for (const entries of [before, after]) Object.assign(entries[1]!, { fractionLost: 0.15 });
    expect((await look([before, after], [[], []])).packetLoss).toBe(0);
  });

  it("is not misled by a stream that ended", async () => {
    const before = [received("audio", { packetsReceived: 900, packetsLost: 90, bytesReceived: 90_000 })];
    const stats = await look([[], []], [before, []]);
    expect(stats).toMatchObject({ packetLoss: null, receiving: 0, grade: "unknown" });
  });

  it("without a measurement is unknown, neither 0 ms nor excellent", async () => {
    const stats = await look([[], []], [[], []]);
    const nothing = { transport: null, rtt: null, jitter: null, packetLoss: null, mos: null };
    expect(stats).toMatchObject({ ...nothing, grade: "unknown", networkType: null });
    expect(reportOf([stats])).toBeNull();
  });

  it("says that this device is too slow while the browser says so of what it sends", async () => {
    const sends = (...reasons: string[]) =>
      reasons.map((reason, index) => ({ id: `o${index}`, type: "outbound-rtp", qualityLimitationReason: reason }));
    expect((await look([[], sends("none", "cpu")], [[], []])).cpuLimited).toBe(true);
    expect((await look([[], sends("bandwidth", "none")], [[], []])).cpuLimited).toBe(false);
  });

  it("reports a slow device to the server, and says nothing of one that is not", async () => {
    const stats = await look([[], []], [[], [...path("relay", "udp")]]);
    const report = { ...stats, transport: "udp" as const, rtt: 80, mos: null };
    expect(reportOf([{ ...report, cpuLimited: true }])).toMatchObject({ rtt: 80, cpuLimited: true });
    expect(reportOf([{ ...report, cpuLimited: false }])).not.toHaveProperty("cpuLimited");
  });

  it("reports in percent, and leaves out what was not measured", async () => {
    const after = [...path("relay", "udp"), ...sends(200, 30)];
    const stats = await look([sends(100, 10), after], [[], []]);
    const mos = calculateMOS(80, 20);
    expect(reportOf([stats])).toEqual({ transport: "turn", rtt: 80, packetLoss: 20, mos });
    expect(reportOf([{ ...stats, rtt: null, mos: null }])).toEqual({ transport: "turn", packetLoss: 20 });
  });

  it("reports the mean of the looks since the report before, each figure of those that measured it", async () => {
    const look = { transport: "udp", rtt: 80, jitter: null, packetLoss: 0, mos: 4, networkType: null } as CallStats;
    const bad = { ...look, rtt: 160, packetLoss: 30, mos: 1 };
    const last = { ...look, transport: "turn" as const, rtt: null, mos: null };
    expect(reportOf([look, bad, last])).toEqual({ transport: "turn", rtt: 120, packetLoss: 10, mos: 2.5 });
  });

  it("reports no score below 1, where the formula dips below the scale", async () => {
    const after = [...path("relay", "udp"), ...sends(200, 46)];
    const stats = await look([sends(100, 10), after], [[], []]);
    expect(calculateMOS(80, 36)).toBeLessThan(1);
    expect(reportOf([stats])).toMatchObject({ rtt: 80, packetLoss: 36, mos: 1 });
  });

  it("knows nothing any more when a server that is frozen answers neither checks nor reports", async () => {
    const pair = (responsesReceived: number) =>
      path("host", "udp").map((entry) => (entry.id === "p" ? { ...entry, responsesReceived } : entry));
    let sending: Entry[] = [];
    const media = {
      send: { getStats: async () => report(...sending) },
      recv: { getStats: async () => report() },
    } as never as Media;
    const reader = new StatsReader();
    const grades: string[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      // The browser still shows the last values, with new times of its own.
      const measured = Math.min(turn, 4);
      sending = [...pair(measured), ...sends(100 + measured, 0)];
      grades.push((await reader.read(media)).grade);
      vi.advanceTimersByTime(2_000);
    }
    // Within 6 s of the last answer.
    expect(grades.slice(0, 7)).toEqual(Array(7).fill("excellent"));
    expect(grades.slice(7)).toEqual(Array(3).fill("unknown"));
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
