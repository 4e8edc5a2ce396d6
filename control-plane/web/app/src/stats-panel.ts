import { type CallStats, type Grade, gradeOf } from "@railgun/voice";
import { h, icon, setText } from "./dom";
import { t, tenths } from "./texts";

const SAMPLES = 60;
const PLOT = { width: 240, height: 56 };
export const GRADE_WORDS: Record<Grade, string> = t.stats.grades;
const ROWS = ["path", "roundTrip", "jitter", "loss", "sending", "receiving"] as const;
type Row = (typeof ROWS)[number];
const SVG = "http://www.w3.org/2000/svg";

/** The network of the call, with its last two minutes. */
export class StatsPanel {
  readonly element: HTMLElement;
  /** The last looks; null where nothing was measured. */
  #history: (number | null)[] = [];
  #mos = h("strong", { class: "mos" }, "–");
  #grade = h("span", { class: "grade" }, t.stats.measuring);
  #values = new Map<Row, HTMLElement>();
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
    const rows = ROWS.map((name) => {
      const value = h("dd", {}, "–");
      this.#values.set(name, value);
      return h("div", {}, h("dt", {}, t.stats[name]), value);
    });
    this.element = h(
      "section",
      { class: "panel stats", "aria-label": t.stats.title, id: "stats" },
      h(
        "header",
        {},
        h("h2", {}, t.stats.title),
        h(
          "button",
          { type: "button", class: "quiet small", "aria-label": t.stats.close, onclick: close },
          icon("close"),
        ),
      ),
      h(
        "div",
        { class: "score" },
        this.#mos,
        h("div", {}, this.#grade, h("small", {}, t.stats.score)),
      ),
      this.#plot,
      h("dl", {}, ...rows),
    );
  }

  add(stats: CallStats): void {
    this.#history.push(stats.mos);
    if (this.#history.length > SAMPLES) this.#history.shift();
    setText(this.#mos, stats.mos === null ? "–" : tenths.format(stats.mos));
    // The score is of the network alone.
    const isLess = stats.grade !== gradeOf(stats.mos);
    const word = GRADE_WORDS[stats.grade];
    setText(this.#grade, isLess ? t.stats.notEverything(word) : word);
    this.element.dataset["grade"] = stats.grade;
    this.#set("path", stats.transport ? t.stats.paths[stats.transport] : "–");
    this.#set("roundTrip", stats.rtt === null ? "–" : `${Math.round(stats.rtt)} ms`);
    this.#set("jitter", stats.jitter === null ? "–" : `${tenths.format(stats.jitter)} ms`);
    this.#set("loss", stats.packetLoss === null ? "–" : `${tenths.format(stats.packetLoss)} %`);
    this.#set("sending", rate(stats.sending));
    this.#set("receiving", rate(stats.receiving));
    this.#draw();
  }

  #set(name: Row, text: string): void {
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
        ? t.stats.between(tenths.format(Math.min(...scores)), tenths.format(Math.max(...scores)))
        : t.stats.notMeasured;
    this.#plot.setAttribute(
      "aria-label",
      minutes < 1 ? t.stats.lastMinute(range) : t.stats.lastTwoMinutes(range),
    );
  }
}

/** The score's place in the plot. */
function yOf(mos: number): number {
  return PLOT.height - 4 - ((mos - 1) / 3.5) * (PLOT.height - 8);
}

function rate(bits: number): string {
  return bits >= 1e6 ? `${tenths.format(bits / 1e6)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`;
}
