import type { NetworkType } from "../wire";

/** What the browser says of its network; most say nothing. */
export function networkType(): NetworkType {
  const connection = (navigator as Navigator & { connection?: { type?: string } }).connection;
  switch (connection?.type) {
    case "wifi":
    case "cellular":
    case "ethernet":
    case "other":
      return connection.type;
    default:
      return "unknown";
  }
}
