/** How good a call is, in the contract's words and numbers. */

/** One look at the network of a call. Null is what was not measured since the last look. */
export interface Sample {
  /** Null before there is a path. */
  transport: "udp" | "tcp" | "turn" | null;
  /** Round-trip time in milliseconds. */
  rtt: number | null;
  /** Of the arrival of packets, in milliseconds. */
  jitter: number | null;
  /** Percent. */
  packetLoss: number | null;
}

/** `unknown`: nothing was measured. */
export type Grade = "excellent" | "good" | "fair" | "poor" | "unknown";

/**
 * Mean opinion score, 1 to 4.5, from milliseconds and percent: the contract's simplified ITU-T G.107. Between R = 0
 * and R = 6.5 the formula gives up to 0.011 less than 1.
 */
export function calculateMOS(rtt: number, packetLoss: number): number {
  const r = 93.2 - rtt * 0.024 - packetLoss * 2.5;
  if (r < 0) return 1;
  if (r > 100) return 4.5;
  return 1 + 0.035 * r + 0.000007 * r * (r - 60) * (100 - r);
}

/** The lower bound of each grade; a bound belongs to the better one. */
export const GRADES: readonly { grade: Exclude<Grade, "unknown">; from: number }[] = [
  { grade: "excellent", from: 4 },
  { grade: "good", from: 3.5 },
  { grade: "fair", from: 2.5 },
  { grade: "poor", from: 1 },
];

export function gradeOf(mos: number | null): Grade {
  if (mos === null) return "unknown";
  return GRADES.find(({ from }) => mos >= from)?.grade ?? "poor";
}

/** What does not arrive counts, however good the network is that it does not arrive over. */
export function gradeWith(grade: Grade, { noSound, people }: { noSound: boolean; people: ReadonlyMap<string, string> }): Grade {
  if (noSound) return "poor";
  const isBad = [...people.values()].some((trouble) => trouble !== "videoHeldBack");
  return isBad && (grade === "excellent" || grade === "good") ? "fair" : grade;
}

/** "Video slots full (4/4) — You're #2 in queue" */
export function queueText({
  position,
  current,
  max,
}: {
  position: number;
  current: number;
  max: number;
}): string {
  return `Video slots full (${current}/${max}) — You're #${position} in queue`;
}
