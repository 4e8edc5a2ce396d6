// Tells of llvm-cov's summary which files of both planes have lines that the simulation does not reach.
import { readFileSync } from "node:fs";

const [, , summary, root] = process.argv;
const planes = /^(control-plane|media-plane\/core|media-plane)\/src\//;
// Parsers of configuration, and what starts and checks a program before it serves.
const start = /\/(main|config|check|certs|logging|dev_mode)\.rs$|\/commands\/|\/tls\.rs$|\/turn\/(coturn|url)\.rs$/;
// What is there for tests and fuzzing alone.
const tests = /\/(testing|fuzzing)\.rs$|\/testing\//;

const files = JSON.parse(readFileSync(summary, "utf8")).data[0].files.map(({ filename, summary }) => ({
  name: filename.replace(`${root}/`, ""),
  lines: summary.lines.count,
  missed: summary.lines.count - summary.lines.covered,
}));
const counted = files.filter(({ name }) => planes.test(name) && !start.test(name) && !tests.test(name));
const sum = (of, key) => of.reduce((sum, file) => sum + file[key], 0);
const share = (of) => `${sum(of, "missed")} of ${sum(of, "lines")} lines (${((100 * sum(of, "missed")) / sum(of, "lines")).toFixed(1)} %)`;

console.log("| lines not reached | of | file |\n|---:|---:|---|");
for (const { name, lines, missed } of counted.filter(({ missed }) => missed >= 10).sort((a, b) => b.missed - a.missed)) {
  console.log(`| ${missed} | ${lines} | \`${name}\` |`);
}
for (const plane of ["control-plane", "media-plane/src", "media-plane/core"]) {
  console.log(`\n${plane}: ${share(counted.filter(({ name }) => name.startsWith(plane)))}`);
}
console.log(`\nBoth planes: ${share(counted)}`);
