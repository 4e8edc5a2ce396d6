import { type CallStats, type Grade, gradeOf } from "@railgun/voice";
import { h, icon, setText } from "./dom";

const SAMPLES = 60;
const PLOT = { width: 240, height: 56 };
export const GRADE_WORDS: Record<Grade, string> = {
  excellent: "Excellent",
  good: "Good",
  fair: "Fair",
  poor: "Poor",
  unknown: "Unknown",
};
const PATHS = { udp: "Direct (UDP)", tcp: "Direct (TCP)", turn: "Relay (TURN)" } as const;
const SVG = "http://www.w3.org/2000/svg";

/** The network of the call, with its last two minutes. */
export class StatsPanel {
  readonly element: HTMLElement;
  /** The last looks; null where nothing was measured. */
  #history: (number | null)[] = [];
  #mos = h("strong", { class: "mos" }, "–");
  #grade = h("span", { class: "grade" }, "Measuring…");
  #values = new Map<string, HTMLElement>();
  #line = document.createElementNS(SVG, "polyline");
  #area = document.createElementNS(SVG, "polygon");
  #plot = document.createElementNS(SVG, "svg");

  constructor(close: () => void) {
    this.#plot.setAttribute("viewBox", `0 0 ${PLOT.width} ${PLOT.height}`);
    this.#plot.setAttribute("class", "plot");
    this.#plot.setAttribute("role", "img");
    this.#plot.setAttribute("preserveAspectRatio", "none");
    // The grades' bounds.
    for (const mos of [4, 3.5, 2.5]) {
      const bound = document.createElementNS(SVG, "line");
      for (const [name, value] of Object.entries({ x1: 0, x2: PLOT.width, y1: yOf(mos), y2: yOf(mos) })) {
        bound.setAttribute(name, String(value));
      }
      this.#plot.append(bound);
    }
    this.#plot.append(this.#area, this.#line);
    const rows = ["Path", "Round trip", "Jitter", "Loss", "Sending", "Receiving"].map((name) => {
      const value = h("dd", {}, "–");
      this.#values.set(name, value);
      return h("div", {}, h("dt", {}, name), value);
    });
    this.element = h(
      "section",
      { class: "panel stats", "aria-label": "Call quality", id: "stats" },
      h(
        "header",
        {},
        h("h2", {}, "Call quality"),
        h(
          "button",
          { type: "button", class: "quiet small", "aria-label": "Close call quality", onclick: close },
          icon("close"),
        ),
      ),
      h(
        "div",
        { class: "score" },
        this.#mos,
        h("div", {}, this.#grade, h("small", {}, "Opinion score, up to 4.5")),
      ),
      this.#plot,
      h("dl", {}, ...rows),
    );
  }

  add(stats: CallStats): void {
    this.#history.push(stats.mos);
    if (this.#history.length > SAMPLES) this.#history.shift();
    setText(this.#mos, stats.mos?.toFixed(1) ?? "–");
    // The score is of the network alone.
    const isLess = stats.grade !== gradeOf(stats.mos);
    setText(this.#grade, `${GRADE_WORDS[stats.grade]}${isLess ? ": not everything arrives" : ""}`);
    this.element.dataset["grade"] = stats.grade;
    this.#set("Path", stats.transport ? PATHS[stats.transport] : "–");
    this.#set("Round trip", stats.rtt === null ? "–" : `${Math.round(stats.rtt)} ms`);
    this.#set("Jitter", stats.jitter === null ? "–" : `${stats.jitter.toFixed(1)} ms`);
    this.#set("Loss", stats.packetLoss === null ? "–" : `${stats.packetLoss.toFixed(1)} %`);
    this.#set("Sending", rate(stats.sending));
    this.#set("Receiving", rate(stats.receiving));
    this.#draw();
  }

  #set(name: string, text: string): void {
    const element = this.#values.get(name);
    if (element) setText(element, text);
  }

  #draw(): void {
    const step = PLOT.width / (SAMPLES - 1);
    const start = PLOT.width - (this.#history.length - 1) * step;
    const measured = this.#history.flatMap((mos, index) =>
      mos === null ? [] : [{ mos, x: (start + index * step).toFixed(1) }],
    );
    const points = measured.map(({ mos, x }) => `${x},${yOf(mos).toFixed(1)}`);
    this.#line.setAttribute("points", points.join(" "));
    const [first, last] = [measured[0]?.x, measured.at(-1)?.x];
    const area = [`${first},${PLOT.height}`, ...points, `${last},${PLOT.height}`];
    this.#area.setAttribute("points", measured.length > 0 ? area.join(" ") : "");
    const scores = measured.map(({ mos }) => mos);
    const minutes = (this.#history.length * 2) / 60;
    const range =
      scores.length > 0
        ? `between ${Math.min(...scores).toFixed(1)} and ${Math.max(...scores).toFixed(1)}`
        : "not measured";
    this.#plot.setAttribute(
      "aria-label",
      `Score over the last ${minutes < 1 ? "minute" : "two minutes"}: ${range}`,
    );
  }
}

/** The score's place in the plot. */
function yOf(mos: number): number {
  return PLOT.height - 4 - ((mos - 1) / 3.5) * (PLOT.height - 8);
}

function rate(bits: number): string {
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`;
}
