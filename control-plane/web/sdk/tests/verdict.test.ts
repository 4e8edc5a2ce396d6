import { describe, expect, it } from "vitest";
import { type NetworkReading, verdictOf } from "../src/verdict";

const fine: NetworkReading = { rtt: 30, packetLoss: 0, bandwidth: 3_000_000, udp: true, turn: true };
const verdict = (change: Partial<NetworkReading>) => verdictOf({ ...fine, ...change });

describe("the verdict on a network", () => {
  it("is good, and says for what", () => {
    expect(verdict({})).toEqual({
      grade: "good",
      text: "Your network is ready for voice and video.",
      advice: [],
    });
    expect(verdict({ bandwidth: null, turn: null }).text).toBe("Your network is ready for voice.");
  });

  it.each([
    [{ udp: false, turn: false }, "poor", /cannot reach the server/],
    [{ udp: false, turn: null }, "poor", /cannot reach the server/],
    [{ udp: false, turn: true }, "fair", /detour/],
    [{ packetLoss: 8 }, "poor", /gets lost/],
    [{ packetLoss: 2 }, "fair", /crackle/],
    [{ bandwidth: 60_000 }, "poor", /too slow/],
    [{ bandwidth: 600_000 }, "fair", /coarse/],
    [{ rtt: 500 }, "poor", /very slow/],
    [{ rtt: 250 }, "fair", /delay/],
  ] as const)("on %j is %s", (change, grade, text) => {
    const found = verdict(change);
    expect(found.grade).toBe(grade);
    expect(found.text).toMatch(text);
    expect(found.advice.length).toBeGreaterThan(0);
  });

  it("does not praise what was not tried", () => {
    expect(verdict({ udp: null, packetLoss: null, bandwidth: null })).toMatchObject({
      grade: "fair",
      advice: [],
    });
  });

  it("names the worst first and every remedy once", () => {
    const found = verdict({ rtt: 250, packetLoss: 9 });
    expect(found.grade).toBe("poor");
    expect(found.advice[0]).toMatch(/router/);
    expect(new Set(found.advice).size).toBe(found.advice.length);
  });
});
