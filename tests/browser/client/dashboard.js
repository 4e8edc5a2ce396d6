/** Panels of a Grafana dashboard, drawn by the library that Grafana draws them with. */
const COLOURS = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300"];
const UNITS = { percentunit: [100, " %"], percent: [1, " %"], s: [1, " s"], bytes: [1 / 2 ** 20, " MiB"], binBps: [1 / 2 ** 20, " MiB/s"] };
const RATES = { reqps: " req/s", pps: " p/s", ops: " ops/s" };
const STYLE = `body { font: 13px system-ui, sans-serif; margin: 1rem; background: #f4f5f5; color: #24292e }
main { display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px }
section { background: white; border: 1px solid #dcdde0; padding: 6px; overflow: hidden }
section.row { background: none; border: 0; font-weight: 600 } h2 { font-size: 13px; margin: 0 }
.u-legend { text-align: left; font-size: 11px }`;

/** `panels`: `{title, type, unit, gridPos, lines: [{name, points}]}`. `row`: pixels of a unit of height. */
window.drawPanels = (panels, row) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));
  const main = document.querySelector("main");
  main.style.gridAutoRows = `${row}px`;
  for (const { title, type, unit, gridPos, lines } of panels) {
    const section = document.createElement("section");
    const { x, y, w, h } = gridPos;
    section.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`;
    section.className = type;
    section.append(Object.assign(document.createElement("h2"), { textContent: title }));
    main.append(section);
    if (type === "row") continue;
    if (lines.length === 0) section.append("No data");
    else drawLines(section, unit, lines, h * row - 90);
  }
};

function drawLines(section, unit, lines, height) {
  const times = [...new Set(lines.flatMap(({ points }) => points.map(([at]) => at)))].sort((one, other) => one - other);
  const [factor, sign] = UNITS[unit] ?? [1, RATES[unit] ?? ""];
  const values = lines.map(({ points }) => {
    const at = new Map(points);
    return times.map((time) => (Number.isFinite(at.get(time)) ? at.get(time) * factor : null));
  });
  const shown = (_, value) => (value == null ? "" : `${Number(value.toPrecision(3))}${sign}`);
  const series = lines.map(({ name }, index) => ({ label: name, stroke: COLOURS[index % COLOURS.length], width: 1.5, value: shown }));
  const axes = [{}, { size: 70, values: (_, ticks) => ticks.map((tick) => `${tick}${sign}`) }];
  const width = section.clientWidth - 14;
  new window.uPlot({ width, height, series: [{}, ...series], axes, legend: { live: false } }, [times, ...values], section);
}
