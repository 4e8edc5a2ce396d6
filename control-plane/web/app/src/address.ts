/**
 * What the page is opened with: `#token=…` of somebody, or `#secret=…` of a server in development mode; a
 * fragment never reaches a server. Both are taken out of the address bar at once, where they would be copied,
 * bookmarked and kept in the history, and stay with the tab.
 */

const IDENTITY = ["token", "secret"] as const;
/** And the key of an encrypted call with its channel: as secret, though it says nothing of who opens the link. */
const KEPT = [...IDENTITY, "key"] as const;
type Kept = (typeof KEPT)[number];
let isToJoin = false;

/** To be called before anything else. */
export function takeFromAddress(): void {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = KEPT.filter((name) => fragment.get(name));
  if (given.length > 0) {
    // Whoever opens another link is somebody else.
    if (IDENTITY.some((name) => fragment.get(name)))
      for (const name of [...IDENTITY, "userId"]) sessionStorage.removeItem(name);
    for (const name of given) {
      sessionStorage.setItem(name, fragment.get(name) ?? "");
      fragment.delete(name);
    }
    // With the secret alone: a token's link that joined by itself would carry the voice of whoever follows it into a
    // channel of somebody else's.
    isToJoin = fragment.has("join") && given.includes("secret");
    fragment.delete("join");
    if (given.includes("key")) sessionStorage.setItem("keyChannel", fragment.get("channel") ?? "");
    const rest = fragment.toString();
    history.replaceState(history.state, "", `${location.pathname}${location.search}${rest && `#${rest}`}`);
  }
  // A link that is pasted over this one changes the fragment and loads nothing.
  addEventListener("hashchange", () => {
    const pasted = new URLSearchParams(location.hash.slice(1));
    if (KEPT.some((name) => pasted.get(name))) location.reload();
  });
}

/** Whether the page was opened by a link that joins by itself (`#secret=…&channel=…&join`). */
export function joinsByItself(): boolean {
  return isToJoin;
}

/** The token or the secret of this tab. */
export function kept(name: Kept): string | null {
  return sessionStorage.getItem(name);
}

/** The key of the channel's calls that this tab has. */
export function keyOf(channel: string): string | null {
  return sessionStorage.getItem("keyChannel") === channel ? kept("key") : null;
}

/** For when the page is loaded again. */
export function keepKey(channel: string, key: string): void {
  sessionStorage.setItem("key", key);
  sessionStorage.setItem("keyChannel", channel);
}

/** The channel that an invitation is to. */
export function invitedTo(): string | null {
  return new URLSearchParams(location.hash.slice(1)).get("channel");
}
