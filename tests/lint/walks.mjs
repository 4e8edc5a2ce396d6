#!/usr/bin/env node
// Fails if a walk of ARCHITECTURE.md, or a list of files in CONTRIBUTING.md, names a file or a function that does
// not exist.
//
// A walk is a section whose heading has the word, a list of files one that says "How to add". In it, a file in backticks and after it, with nothing but
// blanks between, functions in backticks:
//
//     `packet_path/ingest.rs` `ingest`
//     `engine.rs` `Engine::handle_datagrams`, `handle_rtp`
//
// A file is named by the end of its path, as far as needed: any source file below the folders listed here will do,
// and its functions are `fn` items of one that does. Functions of TypeScript files are not looked for. `NAME` in a path
// stands for a file that is still to be written.
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(new URL('../..', import.meta.url).pathname);
const folders = ['bench', 'control-plane', 'media-plane', 'shared', 'tests'];
const documents = [
    { name: 'ARCHITECTURE.md', heading: /\bwalk\b/i, sections: 2, needsFunctions: title => !/page/.test(title) },
    { name: 'CONTRIBUTING.md', heading: /^How to add/, sections: 4, needsFunctions: () => false },
];

/** Every Rust and TypeScript file below `folder`, as paths from the repository's folder. */
function sources(folder) {
    return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory()) return ['node_modules', 'dist', 'target'].includes(entry.name) ? [] : sources(path);
        return /\.(rs|ts)$/.test(path) ? [path] : [];
    });
}

const all = folders.flatMap(sources);

/** The sections of a document whose heading matches, with the number of the heading's line. */
function sections(text, heading) {
    const found = [];
    let section;
    text.split('\n').forEach((line, index) => {
        if (/^## /.test(line)) {
            section = heading.test(line.slice(3)) ? { title: line.slice(3), line: index + 1, text: '' } : undefined;
            if (section) found.push(section);
        } else if (section) section.text += `${line}\n`;
    });
    return found;
}

/** What is wrong with a file and the functions named after it; `names` is empty for a file alone. */
function missing(file, names) {
    if (file.includes('NAME')) return [];
    const found = all.filter(path => path === file || path.endsWith(`/${file}`));
    if (!found.length) return [`there is no ${file}`];
    files++;
    if (file.endsWith('.ts')) return [];
    functions += names.length;
    const code = found.map(path => readFileSync(join(root, path), 'utf8')).join('\n');
    const isThere = name => new RegExp(`^[^/\\n]*\\bfn\\s+${name}\\b`, 'm').test(code);
    return names.filter(name => !isThere(name)).map(name => `no fn ${name} in ${file}`);
}

let files = 0, functions = 0;
const errors = [];
for (const document of documents) {
    const found = sections(readFileSync(join(root, document.name), 'utf8'), document.heading);
    if (found.length < document.sections) errors.push(`${document.name}: ${document.sections} sections expected, ${found.length} found`);
    for (const section of found) {
        const before = functions;
        for (const hop of section.text.matchAll(/`([\w./-]+\.(?:rs|ts))`((?:[\s,]*`[A-Za-z_][\w:]*(?:\(\))?`)*)/g)) {
            const line = section.line + section.text.slice(0, hop.index).split('\n').length;
            const names = [...hop[2].matchAll(/`(?:\w+::)*([a-z_]\w*)(?:\(\))?`/g)].map(([, name]) => name);
            errors.push(...missing(hop[1], names).map(what => `${document.name}:${line}: ${what}`));
        }
        if (functions === before && document.needsFunctions(section.title)) errors.push(`${document.name}:${section.line}: "${section.title}" names no function`);
    }
}
for (const error of errors) console.error(error);
if (errors.length) process.exit(1);
console.log(`${files} files and ${functions} functions that the documents name are there`);
