/** What a network test means, in plain words. */

export interface NetworkReading {
  /** Of signaling, in milliseconds. */
  rtt: number;
  /** Of a short call with oneself, in percent; null when there was none. */
  packetLoss: number | null;
  /** What can be sent, in bits per second: by video that was sent, or else by signaling; null: neither. */
  bandwidth: number | null;
  /** Media reached the server directly; null when that was not tried. */
  udp: boolean | null;
  /** Media can go through a relay; null when the server has none. */
  turn: boolean | null;
}

export interface Verdict {
  grade: "good" | "fair" | "poor";
  /** One sentence for the user. */
  text: string;
  /** What to do about it; none when all is well. */
  advice: string[];
}

/** Less makes a video look coarse, in bits per second. */
export const BANDWIDTH_VIDEO = 1_200_000;
const BANDWIDTH_VOICE = 100_000;

interface Finding {
  grade: "fair" | "poor";
  text: string;
  advice: string;
}

/** Each rule's finding where it applies; the worst gives the sentence. */
const RULES: readonly ((reading: NetworkReading) => Finding | null)[] = [
  ({ udp, turn }) =>
    udp === false && turn !== true
      ? {
          grade: "poor",
          text: "Sound and video cannot reach the server from this network.",
          advice: "A firewall is probably blocking UDP. Try another network, or ask whoever runs this one.",
        }
      : null,
  ({ packetLoss }) =>
    packetLoss !== null && packetLoss > 5
      ? {
          grade: "poor",
          text: "A lot of what you send gets lost on the way. Others will hear gaps.",
          advice: "Move closer to your Wi-Fi router, or use a cable.",
        }
      : null,
  ({ bandwidth }) =>
    bandwidth !== null && bandwidth < BANDWIDTH_VOICE
      ? {
          grade: "poor",
          text: "Your connection is too slow for a call.",
          advice: "Close whatever downloads or uploads on this network.",
        }
      : null,
  ({ rtt }) =>
    rtt > 400
      ? {
          grade: "poor",
          text: "The way to the server is very slow. You will talk over each other.",
          advice: "Turn off a VPN if you use one, or try another network.",
        }
      : null,
  ({ udp }) =>
    udp === false
      ? {
          grade: "fair",
          text: "Calls work, by a detour: this network lets no direct traffic through.",
          advice: "Ask whoever runs this network to allow UDP.",
        }
      : null,
  ({ packetLoss }) =>
    packetLoss !== null && packetLoss > 1
      ? {
          grade: "fair",
          text: "Calls work, with a crackle now and then: some of what you send gets lost.",
          advice: "A cable is steadier than Wi-Fi.",
        }
      : null,
  ({ bandwidth }) =>
    bandwidth !== null && bandwidth < BANDWIDTH_VIDEO
      ? {
          grade: "fair",
          text: "Good for talking. Your video may look coarse.",
          advice: "Close whatever downloads or uploads on this network.",
        }
      : null,
  ({ rtt }) =>
    rtt > 200
      ? {
          grade: "fair",
          text: "Calls work, with a noticeable delay.",
          advice: "A server closer to you, or no VPN, would help.",
        }
      : null,
];

export function verdictOf(reading: NetworkReading): Verdict {
  const findings = RULES.map((rule) => rule(reading)).filter((finding) => finding !== null);
  const worst = findings.find(({ grade }) => grade === "poor") ?? findings[0];
  if (worst) {
    // One rule is often the milder form of another, with the same advice.
    const advice = [...new Set([worst.advice, ...findings.map((finding) => finding.advice)])];
    return { grade: worst.grade, text: worst.text, advice };
  }
  const { bandwidth, udp } = reading;
  if (udp === null) {
    const text = "The server answers quickly. Sound and video could not be tried from here.";
    return { grade: "fair", text, advice: [] };
  }
  const text =
    bandwidth === null ? "Your network is ready for voice." : "Your network is ready for voice and video.";
  return { grade: "good", text, advice: [] };
}
