import type { Participant, VoiceService, VoiceSnapshot } from "@railgun/voice";
import type { Gestures } from "@railgun/voice/gestures";
import { personDot } from "./avatar";
import { h, icon, Keyed, range, setRange, setText } from "./dom";
import { avatarInToken } from "./token";
import { t } from "./texts";

interface Row {
  element: HTMLElement;
  update(person: Participant): void;
}

/** Who is in the call, with a volume for each. */
export class People {
  readonly element: HTMLElement;
  #count = h("span", { class: "count" });
  #own = h("span", { class: "state" });
  #list = h("ul", {});
  #rows: Keyed<Participant, Row>;

  constructor(
    private readonly voice: VoiceService,
    ownName: string,
    close: () => void,
    private readonly gestures: Gestures,
  ) {
    this.#rows = new Keyed<Participant, Row>(
      this.#list,
      (person) => this.#row(person),
      (row, person) => row.update(person),
    );
    this.element = h(
      "aside",
      { class: "panel people", "aria-label": t.call.people, id: "people" },
      h(
        "header",
        {},
        h("h2", {}, t.people.title, this.#count),
        h(
          "button",
          { type: "button", class: "quiet small", "aria-label": t.people.close, onclick: close },
          icon("close"),
        ),
      ),
      h(
        "ul",
        { class: "me" },
        h("li", {}, personDot(ownName, avatarInToken()), h("span", { class: "who" }, t.people.you(ownName)), this.#own),
      ),
      this.#list,
    );
  }

  render({ participants, muted, deafened, limits }: VoiceSnapshot): void {
    const present = participants.length + 1;
    setText(this.#count, limits ? t.people.count(present, limits.participants) : String(present));
    showState(this.#own, { muted, deafened, reconnecting: false }, this.gestures.handRaised);
    this.#rows.render(new Map(participants.map((person) => [person.sessionId, person])));
  }

  #row({ userId, name, avatar }: Participant): Row {
    const state = h("span", { class: "state" });
    const slider = range({ max: 200, value: 100, "aria-label": t.people.volume(name) }, (percent) =>
      this.voice.setPerUserVolume(userId, percent / 100),
    );
    const element = h(
      "li",
      {},
      personDot(name, avatar),
      h("span", { class: "who" }, name),
      state,
      h("span", { class: "volume" }, icon("speaker"), slider),
    );
    const update = (person: Participant) => {
      showState(state, person, this.gestures.hands.has(person.sessionId));
      element.classList.toggle("speaking", person.speaking);
      setRange(slider, Math.round(person.volume * 100));
    };
    return { element, update };
  }
}

type PersonState = Pick<Participant, "muted" | "deafened" | "reconnecting">;

function showState(element: HTMLElement, { muted, deafened, reconnecting }: PersonState, hand: boolean): void {
  const text = reconnecting ? t.people.reconnecting : deafened ? t.people.deafened : muted ? t.people.muted : "";
  const marks = `${hand}${text}`;
  if (element.dataset["marks"] === marks) return;
  element.dataset["marks"] = marks;
  const shown = reconnecting ? [text] : text ? [icon(deafened ? "deafen-off" : "mic-off"), text] : [];
  element.replaceChildren(...(hand ? [icon("hand", t.gestures.hand)] : []), ...shown);
}
