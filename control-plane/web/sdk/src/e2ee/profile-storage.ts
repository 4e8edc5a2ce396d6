/** What is kept for this browser profile, as far as it may be. */
export type ProfileStorage = Pick<Storage, "getItem" | "setItem">;

/** Null: this page may store nothing. */
export function profileStorage(): ProfileStorage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/** The value under this key; null if there is none, or no JSON. */
export function readStored(storage: ProfileStorage | null, key: string): unknown {
  try {
    return JSON.parse(storage?.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

export function store(storage: ProfileStorage | null, key: string, value: unknown): void {
  try {
    storage?.setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: it is known as long as this page is open.
  }
}
