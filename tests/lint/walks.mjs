#!/usr/bin/env node
// Fails if a walk of ARCHITECTURE.md names a file or a function that does not exist.
//
// A walk is a section whose heading has the word. In it, a file in backticks and after it, with nothing but
// blanks between, functions in backticks:
//
//     `packet_path/ingest.rs` `ingest`
//     `engine.rs` `Engine::handle_datagrams`, `handle_rtp`
//
// A file is named by the end of its path, as far as needed: any source file below the folders listed here will do,
// and its functions are `fn` items of one that does. Functions of TypeScript files are not looked for.
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(new URL('../..', import.meta.url).pathname);
const folders = ['media-plane', 'control-plane', 'shared'];
const document = process.argv[2] ?? join(root, 'ARCHITECTURE.md');

/** Every Rust and TypeScript file below `folder`, as paths from the repository's folder. */
function sources(folder) {
    return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory()) return ['node_modules', 'dist', 'target'].includes(entry.name) ? [] : sources(path);
        return /\.(rs|ts)$/.test(path) ? [path] : [];
    });
}

const all = folders.flatMap(sources);
const lines = readFileSync(document, 'utf8').split('\n');
const walks = [];
lines.forEach((line, index) => {
    if (/^## /.test(line)) walks.push(/\bwalk\b/i.test(line) ? { title: line.slice(3), from: index + 1, text: '' } : null);
    else if (walks.at(-1)) walks.at(-1).text += `${line}\n`;
});

let files = 0, functions = 0;
const errors = [];
for (const walk of walks.filter(Boolean)) {
    const before = functions;
    for (const hop of walk.text.matchAll(/`([\w./-]+\.(?:rs|ts))`((?:[\s,]*`[A-Za-z_][\w:]*(?:\(\))?`)*)/g)) {
        const where = `ARCHITECTURE.md:${walk.from + walk.text.slice(0, hop.index).split('\n').length}`;
        const found = all.filter(path => path === hop[1] || path.endsWith(`/${hop[1]}`));
        if (!found.length) errors.push(`${where}: there is no ${hop[1]}`);
        else files++;
        if (!found.length || hop[1].endsWith('.ts')) continue;
        const code = found.map(path => readFileSync(join(root, path), 'utf8')).join('\n');
        for (const [, name] of hop[2].matchAll(/`(?:\w+::)*([a-z_]\w*)(?:\(\))?`/g)) {
            functions++;
            if (!new RegExp(`^[^/\\n]*\\bfn\\s+${name}\\b`, 'm').test(code)) errors.push(`${where}: no fn ${name} in ${hop[1]}`);
        }
    }
    if (functions === before && !/page/.test(walk.title)) errors.push(`ARCHITECTURE.md:${walk.from}: "${walk.title}" names no function`);
}
if (walks.filter(Boolean).length < 2) errors.push('ARCHITECTURE.md: a walk of a packet and one of an event are missing');
for (const error of errors) console.error(error);
if (errors.length) process.exit(1);
console.log(`${files} files and ${functions} functions of the walks are there`);
