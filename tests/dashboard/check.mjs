#!/usr/bin/env node
// Checks deploy/monitoring/dashboard.json by Grafana's own model of dashboards: @grafana/schema, which is generated of the
// schema that Grafana's documents show. A key that the model does not have, a wrong word or a wrong type is an error; and
// so is what a model of types cannot say: ids that are there twice, panels that lie on each other.
// Usage: check.mjs [FILE]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';

const here = dirname(new URL(import.meta.url).pathname);
const root = resolve(here, '../..');
const file = resolve(process.argv[2] ?? join(root, 'deploy/monitoring/dashboard.json'));
const text = readFileSync(file, 'utf8');
const dashboard = JSON.parse(text);

const errors = [];
// As a literal in TypeScript, so that no word is widened to a string and no key is one too many.
const written = join(here, 'node_modules/.written/dashboard.ts');
mkdirSync(dirname(written), { recursive: true });
writeFileSync(written, `import type { Model } from '../../model';\nexport const dashboard: Model =\n${text};\n`);
const program = ts.createProgram([written], {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
    types: [],
});
for (const { file: source, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const line = source && start !== undefined ? source.getLineAndCharacterOfPosition(start).line - 1 : 0;
    const where = source?.fileName === written ? `${file}:${line}` : (source?.fileName ?? 'typescript');
    errors.push(`${where}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}

const panels = (dashboard.panels ?? []).flatMap((panel) => [panel, ...(panel.panels ?? [])]);
const ids = panels.map(({ id }) => id);
for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) errors.push(`the id ${id} is there twice`);
for (const [place, panel] of panels.entries()) {
    const { x, y, w, h } = panel.gridPos ?? {};
    if (!(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 24)) errors.push(`${panel.title}: it is not within the 24 columns`);
    const other = panels.slice(0, place).find(({ gridPos: o }) => x < o.x + o.w && o.x < x + w && y < o.y + o.h && o.y < y + h);
    if (other) errors.push(`${panel.title} lies on ${other.title}`);
    const refs = (panel.targets ?? []).map(({ refId }) => refId);
    if (new Set(refs).size !== refs.length) errors.push(`${panel.title}: a refId is there twice`);
}

if (errors.length > 0) {
    console.error(errors.join('\n'));
    process.exit(1);
}
console.log(`dashboard.json is as Grafana's model has it: ${panels.length} panels`);
