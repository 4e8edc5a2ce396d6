/**
 * Which frames of a key that lasts this profile has opened, for the pages that it loads later: a server that sends them
 * again to a page that was reloaded must not be believed.
 */
import type { Mark, Marks } from "./epoch";
import { type ProfileStorage, profileStorage, readStored, store } from "./profile-storage";

const STORED = "railgun.seen-frames";
/** The newest of each. */
const CHANNELS_MAX = 20;
const EPOCHS_MAX = 4;
const STREAMS_MAX = 1_024;
/** Between two writes of what frames add, in milliseconds. Small messages are written at once. */
const WRITE_INTERVAL = 1_000;

/** By the epoch's tag, then by key id, source and session: the highest counter. */
type Channel = Record<string, Record<string, string>>;

export class SeenFrames {
  #marks = new Map<string, Map<string, string>>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #write = () => this.#keep();

  constructor(
    private readonly channelId: string,
    private readonly storage: ProfileStorage | null = profileStorage(),
  ) {
    for (const [tag, streams] of Object.entries(read(storage)[channelId] ?? {})) this.#marks.set(tag, new Map(Object.entries(streams)));
    globalThis.addEventListener?.("pagehide", this.#write);
  }

  get before(): Mark[] {
    return [...this.#marks].flatMap(([tag, streams]) => [...streams].map(([of, ctr]): Mark => [tag, of, ctr]));
  }

  /** `atOnce`: before anybody is told what it says. */
  note(marks: readonly Mark[], atOnce: boolean): void {
    if (marks.length === 0) return;
    for (const [tag, of, ctr] of marks) {
      const streams = this.#marks.get(tag) ?? new Map<string, string>();
      // The newest are last.
      for (const [map, key] of [[this.#marks, tag], [streams, of]] as const) map.delete(key);
      this.#marks.set(tag, streams.set(of, ctr));
    }
    if (atOnce) this.#keep();
    else this.#timer ??= setTimeout(this.#write, WRITE_INTERVAL);
  }

  close(): void {
    this.#keep();
    globalThis.removeEventListener?.("pagehide", this.#write);
  }

  #keep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#marks.size === 0) return;
    // Other tabs add to it as well.
    const { [this.channelId]: before = {}, ...others } = read(this.storage);
    const epochs = new Map(Object.entries(before));
    for (const [tag, streams] of this.#marks) {
      const all = [...new Map([...Object.entries(epochs.get(tag) ?? {}), ...streams])];
      epochs.delete(tag);
      epochs.set(tag, Object.fromEntries(all.slice(-STREAMS_MAX)));
    }
    const channels = [...Object.entries(others), [this.channelId, Object.fromEntries([...epochs].slice(-EPOCHS_MAX))]];
    store(this.storage, STORED, Object.fromEntries(channels.slice(-CHANNELS_MAX)));
  }
}

/** As the keys have it. What is none is left out. */
export function marksOf(marks: readonly Mark[]): Marks {
  const all = new Map<string, Map<string, bigint>>();
  for (const [tag, of, ctr] of marks) {
    if (!/^\d{1,13}$/.test(ctr)) continue;
    all.set(tag, (all.get(tag) ?? new Map<string, bigint>()).set(of, BigInt(ctr)));
  }
  return all;
}

function read(storage: ProfileStorage | null): Record<string, Channel> {
  const stored = readStored(storage, STORED);
  const isChannel = (it: unknown) => isRecord(it) && Object.values(it).every((streams) => isRecord(streams));
  if (!isRecord(stored)) return {};
  return Object.fromEntries(Object.entries(stored).filter(([, channel]) => isChannel(channel))) as Record<string, Channel>;
}

const isRecord = (it: unknown): it is Record<string, unknown> => typeof it === "object" && it !== null && !Array.isArray(it);
