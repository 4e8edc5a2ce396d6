/** One key each, for those who do not want to aim. */
export type Command = "mute" | "deafen" | "camera" | "screen" | "people" | "stats" | "settings" | "view";

export const SHORTCUTS: readonly { key: string; command: Command; text: string }[] = [
  { key: "m", command: "mute", text: "Mute or unmute" },
  { key: "d", command: "deafen", text: "Deafen or listen again" },
  { key: "v", command: "camera", text: "Start or stop the camera" },
  { key: "s", command: "screen", text: "Share or stop the screen" },
  { key: "p", command: "people", text: "Show or hide people" },
  { key: "f", command: "view", text: "Show whoever speaks large, or everybody alike" },
  { key: "q", command: "stats", text: "Show or hide call quality" },
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
