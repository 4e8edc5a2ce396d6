import { byId, h, icon } from "./dom";
import type { Message } from "./sentences";
import { t } from "./texts";

const STAYS_MS = 8_000;
const TOASTS_MAX = 4;
const ICONS = { plain: "signal", good: "check", bad: "warning" } as const;

/** Says something for a while, with an optional button. */
export function toast(message: Message, action?: { label: string; run(): void }): void {
  const root = byId("toasts");
  const remove = () => element.remove();
  const element = h(
    "div",
    { class: `toast ${message.tone}` },
    icon(ICONS[message.tone]),
    h("p", {}, message.text),
    action &&
      h("button", { type: "button", class: "link", onclick: () => (remove(), action.run()) }, action.label),
    h(
      "button",
      { type: "button", class: "quiet small", "aria-label": t.dismiss, onclick: remove },
      icon("close"),
    ),
  );
  const same = [...root.children].find((other) => other.querySelector("p")?.textContent === message.text);
  same?.remove();
  root.append(element);
  while (root.children.length > TOASTS_MAX) root.firstElementChild?.remove();
  setTimeout(remove, STAYS_MS);
}
