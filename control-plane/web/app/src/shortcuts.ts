/** One key each, for those who do not want to aim. */
export type Command = "mute" | "deafen" | "camera" | "screen" | "people" | "stats" | "settings" | "view" | "hand" | "react";
/** Those that have a key. */
type Keyed = Exclude<Command, "settings" | "react">;

export const SHORTCUTS: readonly { key: string; command: Keyed }[] = [
  { key: "m", command: "mute" },
  { key: "d", command: "deafen" },
  { key: "v", command: "camera" },
  { key: "s", command: "screen" },
  { key: "h", command: "hand" },
  { key: "p", command: "people" },
  { key: "f", command: "view" },
  { key: "q", command: "stats" },
];

/** Listens until the returned function is called. Typing, and keys for the browser, are left alone. */
export function listenForShortcuts(run: (command: Command) => void): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const target = event.target as HTMLElement;
    if (target.closest("input, select, textarea, dialog")) return;
    const shortcut = SHORTCUTS.find(({ key }) => key === event.key.toLowerCase());
    if (!shortcut) return;
    event.preventDefault();
    run(shortcut.command);
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
