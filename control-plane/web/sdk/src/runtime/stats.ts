import { calculateMOS, type Grade, gradeOf, type Sample } from "../quality";
import type { Media } from "./media";

/** One look at the call, for the overlay and the server. */
export interface CallStats extends Sample {
  /** 1 to 4.5. */
  mos: number;
  grade: Grade;
  /** Bits per second, sound and video together. */
  sending: number;
  receiving: number;
  /** What the browser thinks it could send, in bits per second; null while it has no idea. */
  available: number | null;
  /** Milliseconds since 1970. */
  at: number;
}

interface Counters {
  at: number;
  bytesSent: number;
  bytesReceived: number;
  packetsReceived: number;
  packetsLost: number;
}

type Entry = Record<string, unknown> & { type: string; id: string };

/** Reads both connections and says how the call is since the last look. */
export class StatsReader {
  #before: Counters | null = null;

  async read(media: Media): Promise<CallStats> {
    const [sending, receiving] = await Promise.all([media.send.getStats(), media.recv.getStats()]);
    const sent = [...sending.values()] as Entry[];
    const received = [...receiving.values()] as Entry[];
    const pair = selectedPair(sending) ?? selectedPair(receiving);
    const inbound = received.filter(({ type }) => type === "inbound-rtp");
    const remote = sent.filter(({ type }) => type === "remote-inbound-rtp");

    const now: Counters = {
      at: Date.now(),
      bytesSent: sum(
        sent.filter(({ type }) => type === "outbound-rtp"),
        "bytesSent",
      ),
      bytesReceived: sum(inbound, "bytesReceived"),
      packetsReceived: sum(inbound, "packetsReceived"),
      packetsLost: sum(inbound, "packetsLost"),
    };
    const before = this.#before ?? now;
    this.#before = now;
    const seconds = Math.max(0.001, (now.at - before.at) / 1000);
    // A consumer that closed takes its counters along.
    const since = (name: keyof Counters) => Math.max(0, now[name] - before[name]);
    const lost = since("packetsLost");
    const lossIn = lost > 0 ? (100 * lost) / (lost + since("packetsReceived")) : 0;
    const lossOut = 100 * Math.max(0, ...remote.map((entry) => number(entry, "fractionLost") ?? 0));

    const roundTrips = [
      number(pair, "currentRoundTripTime"),
      ...remote.map((it) => number(it, "roundTripTime")),
    ];
    const rtt = 1000 * (roundTrips.find((value) => value !== null) ?? 0);
    const packetLoss = Math.min(100, Math.max(lossIn, lossOut));
    const voices = inbound.filter(({ kind }) => kind === "audio");
    const jitter = 1000 * Math.max(0, ...voices.map((entry) => number(entry, "jitter") ?? 0));
    const mos = calculateMOS(rtt, packetLoss);
    return {
      at: now.at,
      transport: transportOf(pair, sending),
      rtt,
      jitter,
      packetLoss,
      mos,
      grade: gradeOf(mos),
      sending: (8 * since("bytesSent")) / seconds,
      receiving: (8 * since("bytesReceived")) / seconds,
      available: number(pair, "availableOutgoingBitrate"),
    };
  }
}

function selectedPair(report: RTCStatsReport): Entry | undefined {
  const entries = [...report.values()] as Entry[];
  const transport = entries.find(({ type }) => type === "transport");
  const selected = transport?.["selectedCandidatePairId"];
  if (typeof selected === "string") return report.get(selected) as Entry | undefined;
  return entries.find(
    ({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded",
  );
}

function transportOf(pair: Entry | undefined, report: RTCStatsReport): Sample["transport"] {
  const local = pair && (report.get(String(pair["localCandidateId"])) as Entry | undefined);
  if (local?.["candidateType"] === "relay") return "turn";
  return local?.["protocol"] === "tcp" ? "tcp" : "udp";
}

function number(entry: Entry | undefined, name: string): number | null {
  const value = entry?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function sum(entries: Entry[], name: string): number {
  return entries.reduce((total, entry) => total + (number(entry, name) ?? 0), 0);
}
