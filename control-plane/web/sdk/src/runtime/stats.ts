import { calculateMOS, type Grade, gradeOf, type Sample } from "../quality";
import type { NetworkType } from "../payloads";
import type { Media } from "./media";
import { networkTypeOf } from "./network-type";

/** One look at the call, for the overlay and the server. */
export interface CallStats extends Sample {
  /** 1 to 4.5; null unless round trip and loss were both measured. */
  mos: number | null;
  grade: Grade;
  /** Bits per second, sound and video together. */
  sending: number;
  receiving: number;
  /** What the browser thinks it could send, in bits per second; null while it has no idea. */
  available: number | null;
  /** What the browser says of the interface that is used; null when it says nothing. */
  networkType: NetworkType | null;
  /** The browser lowers what it sends because this device is too slow. */
  cpuLimited: boolean;
  /** Milliseconds since 1970. */
  at: number;
}

/** Checks and reports come every one to three seconds; what is older than this is no measurement any more. */
export const FRESH_MS = 6_000;

interface Counters {
  at: number;
  bytesSent: number;
  bytesReceived: number;
  packetsReceived: number;
  packetsLost: number;
}

interface Reported {
  mark: number;
  lost: number;
  sent: number;
  loss: number | null;
}

type Entry = Record<string, unknown> & { type: string; id: string };

/** Reads both connections and says how the call is since the last look. */
export class StatsReader {
  #before: Counters | null = null;
  /** By source: its last sign of being measured anew, and when that was seen. */
  #measured = new Map<string, { mark: number; at: number }>();
  /** By remote report: its mark, what it and our counters said then, and the loss since the one before, in percent. */
  #reported = new Map<string, Reported>();

  /** `known`: the receiving connection's report, if it was asked for just now. */
  async read(media: Media, known: RTCStatsReport | null = null): Promise<CallStats> {
    const [sending, receiving] = await Promise.all([media.send.getStats(), known ?? media.recv.getStats()]);
    const sent = [...sending.values()] as Entry[];
    const received = [...receiving.values()] as Entry[];
    const inbound = received.filter(({ type }) => type === "inbound-rtp");
    const at = Date.now();
    const now: Counters = {
      at,
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

    const ways = [
      { pair: selectedPair(sending), report: sending },
      { pair: selectedPair(receiving), report: receiving },
    ];
    const way = ways.find(({ pair }) => pair !== undefined);
    // Browsers keep showing the last value of what is measured no longer.
    const checked = ways.filter(({ pair }) => pair && this.#isFresh(`pair ${pair.id}`, marks(pair), at));
    const reports = sent.filter(
      (it) => it.type === "remote-inbound-rtp" && this.#isFresh(`report ${it.id}`, marks(it), at),
    );
    const roundTrips = [
      ...checked.map(({ pair }) => number(pair, "currentRoundTripTime")),
      ...reports.map((report) => number(report, "roundTripTime")),
    ];
    const rtt = scaled(roundTrips.find((value) => value !== null) ?? null, 1000);

    const [lost, came] = [since("packetsLost"), since("packetsReceived")];
    const lossIn = lost + came > 0 ? (100 * lost) / (lost + came) : null;
    const losses = [lossIn, ...reports.map((report) => this.#lossOut(report, sending))];
    const packetLoss = greatest(losses, 100);
    const voices = came > 0 ? inbound.filter(({ kind }) => kind === "audio") : [];
    const jitter = scaled(greatest(voices.map((voice) => number(voice, "jitter"))), 1000);
    const mos = rtt === null || packetLoss === null ? null : Math.max(1, calculateMOS(rtt, packetLoss));
    return {
      at,
      transport: way ? transportOf(way.pair, way.report) : null,
      rtt,
      jitter,
      packetLoss,
      mos,
      grade: gradeOf(mos),
      sending: (8 * since("bytesSent")) / seconds,
      receiving: (8 * since("bytesReceived")) / seconds,
      available: number(selectedPair(sending), "availableOutgoingBitrate"),
      cpuLimited: sent.some((it) => it.type === "outbound-rtp" && it["qualityLimitationReason"] === "cpu"),
      networkType: way ? networkTypeOf(localOf(way.pair, way.report)) : null,
    };
  }

  /**
   * What part of a stream the server did not get since its report before, in percent. By the cumulative number: a
   * server may put what listeners lose into the fraction of a microphone's report, for which Opus adds FEC.
   */
  #lossOut(report: Entry, sending: RTCStatsReport): number | null {
    const stream = sending.get(String(report["localId"])) as Entry | undefined;
    const [lost, sent, mark] = [number(report, "packetsLost"), number(stream, "packetsSent"), marks(report)];
    if (lost === null || sent === null) return null;
    const before = this.#reported.get(report.id) ?? { mark: null, lost: 0, sent: 0, loss: null };
    if (before.mark === mark) return before.loss;
    const more = sent - before.sent;
    const loss = more > 0 ? Math.min(100, (100 * Math.max(0, lost - before.lost)) / more) : null;
    this.#reported.set(report.id, { mark, lost, sent, loss });
    return loss;
  }

  /** Whether `mark`, which moves with each measurement, moved lately. */
  #isFresh(source: string, mark: number, now: number): boolean {
    const known = this.#measured.get(source);
    if (known?.mark !== mark) {
      this.#measured.set(source, { mark, at: now });
      return true;
    }
    return now - known.at < FRESH_MS;
  }
}

/**
 * Grows with each measurement of an entry: a pair counts the answers to its checks; the time of a remote entry
 * is that of the report it came with.
 */
function marks(entry: Entry): number {
  const names =
    entry.type === "candidate-pair" ? ["responsesReceived", "lastPacketReceivedTimestamp"] : ["timestamp"];
  return names.map((name) => number(entry, name)).find((value) => value !== null) ?? 0;
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

function localOf(pair: Entry | undefined, report: RTCStatsReport): Entry | undefined {
  return pair && (report.get(String(pair["localCandidateId"])) as Entry | undefined);
}

function transportOf(pair: Entry | undefined, report: RTCStatsReport): Sample["transport"] {
  const local = localOf(pair, report);
  if (local?.["candidateType"] === "relay") return "turn";
  return local?.["protocol"] === "tcp" ? "tcp" : "udp";
}

function number(entry: Entry | undefined, name: string): number | null {
  const value = entry?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function scaled(value: number | null, factor: number): number | null {
  return value === null ? null : factor * value;
}

/** Null when there is none. */
function greatest(values: (number | null)[], ceiling = Infinity): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? Math.min(ceiling, Math.max(0, ...known)) : null;
}

function sum(entries: Entry[], name: string): number {
  return entries.reduce((total, entry) => total + (number(entry, name) ?? 0), 0);
}
