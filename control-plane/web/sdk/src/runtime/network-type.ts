import type { NetworkType } from "../payloads";
import { sleep } from "./wait";

const KNOWN: readonly NetworkType[] = ["wifi", "cellular", "ethernet", "vpn"];
/** A browser that lists its interfaces does so within some milliseconds. */
const GATHER_MS = 400;

/** What the Network Information API says; it has a type on phones and ChromeOS alone. */
function ofBrowser(): NetworkType {
  const connection = (navigator as Navigator & { connection?: { type?: string } }).connection;
  const type = KNOWN.find((known) => known === connection?.type);
  return type ?? (connection?.type === "other" ? "other" : "unknown");
}

/**
 * The kind of network this device uses, as far as its browser tells: by the Network Information API, else by
 * the interface of the first ICE candidate, which Chromium names (`networkType`). Firefox and Safari say
 * nothing; the server then goes by the address, if its operator gave it a table. Takes `GATHER_MS` at most.
 */
export async function networkType(): Promise<NetworkType> {
  const type = ofBrowser();
  if (type !== "unknown" || typeof RTCPeerConnection === "undefined") return type;
  let connection: RTCPeerConnection | undefined;
  try {
    connection = new RTCPeerConnection();
    return (await ofCandidates(connection)) ?? "unknown";
  } catch {
    return "unknown";
  } finally {
    connection?.close();
  }
}

async function ofCandidates(connection: RTCPeerConnection): Promise<NetworkType | null> {
  connection.createDataChannel("interfaces");
  const gathered = new Promise<void>((resolve) => {
    connection.addEventListener("icecandidate", () => resolve());
  });
  await connection.setLocalDescription();
  await Promise.race([gathered, sleep(GATHER_MS)]);
  const entries = [...(await connection.getStats()).values()] as Record<string, unknown>[];
  const local = entries.filter(({ type }) => type === "local-candidate");
  // The highest priority is the interface that the browser prefers.
  local.sort((a, b) => Number(b["priority"] ?? 0) - Number(a["priority"] ?? 0));
  return networkTypeOf(local[0]);
}

/** Of a local candidate in `getStats`; null when the browser does not say. */
export function networkTypeOf(candidate: Record<string, unknown> | undefined): NetworkType | null {
  const type = candidate?.["networkType"];
  return KNOWN.find((known) => known === type) ?? null;
}
