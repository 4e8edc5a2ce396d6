import type { Ring, VoiceService } from "@railgun/voice";
import { personDot } from "./avatar";
import { byId, h, icon, Keyed } from "./dom";
import { play } from "./sounds";
import { t } from "./texts";

const RING_EVERY_MS = 2_500;

/** Calls to the user, each with its buttons, above whatever is shown. The keyboard's focus stays where it is. */
export function showRings(voice: VoiceService, answer: (channelId: string) => void): () => void {
  const card = (ring: Ring) => {
    const name = ring.name ?? ring.from;
    const element = h(
      "section",
      { class: "ring", role: "alert", "aria-label": t.ring.calls(name) },
      personDot(name, null),
      h("p", {}, h("strong", {}, t.ring.calls(name)), h("small", {}, ring.channelId)),
      h(
        "button",
        {
          type: "button",
          class: "danger",
          onclick: () => void voice.declineRing(ring.channelId).catch(() => undefined),
        },
        icon("leave"),
        t.ring.decline,
      ),
      h("button", { type: "button", class: "primary", onclick: () => answer(ring.channelId) }, t.ring.answer),
    );
    return { element };
  };
  const cards = new Keyed<Ring, { element: HTMLElement }>(byId("rings"), card, () => undefined);
  const ticks = setInterval(() => voice.snapshot.rings.length > 0 && play("ringing"), RING_EVERY_MS);
  const render = () => cards.render(new Map(voice.snapshot.rings.map((ring) => [ring.channelId, ring])));
  const stops = [voice.on("change", render), voice.on("ringing", () => play("ringing"))];
  render();
  return () => {
    clearInterval(ticks);
    for (const stop of stops) stop();
    cards.render(new Map());
  };
}
