#!/usr/bin/env node
// Fails if the source files of a crate import each other in a circle.
//
// A file imports another if it names something by a path that leads into it: `use` declarations and
// qualified paths (`crate::…`, `self::…`, `super::…`, and the names of child modules). `mod` declarations
// are no imports. What stands under `#[cfg(test)]` is left out, as are files named `tests.rs`.
//
// `--edges` prints every import.
import { readFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(dirname(new URL(import.meta.url).pathname), '../..');
const verbose = process.argv.includes('--edges');

/** Every folder below `dir` that holds a Cargo.toml with a package. */
function packages(dir, found = []) {
    for (const entry of readdirSync(dir)) {
        if (['target', 'node_modules', '.git'].includes(entry)) continue;
        const path = join(dir, entry);
        if (statSync(path).isDirectory()) packages(path, found);
        else if (entry === 'Cargo.toml' && /^\[package\]/m.test(readFileSync(path, 'utf8'))) found.push(dir);
    }
    return found;
}

/** The source without comments, strings and what only tests compile. */
function strip(text) {
    let out = '';
    for (let i = 0; i < text.length; ) {
        const rest = text.slice(i);
        let skip;
        if ((skip = /^\/\/[^\n]*/.exec(rest))) i += skip[0].length;
        else if ((skip = /^\/\*[\s\S]*?\*\//.exec(rest))) i += skip[0].length;
        else if ((skip = /^b?r(#*)"[\s\S]*?"\1/.exec(rest))) { out += '""'; i += skip[0].length; }
        else if ((skip = /^b?"(?:[^"\\]|\\[\s\S])*"/.exec(rest))) { out += '""'; i += skip[0].length; }
        else if ((skip = /^b?'(?:[^'\\]|\\[^\n]+?)'/.exec(rest))) { out += "' '"; i += skip[0].length; }
        else { out += text[i]; i += 1; }
    }
    // Items under #[cfg(test)]: up to their semicolon, or the end of their block.
    for (;;) {
        const at = out.search(/#\[cfg\((?:all\()?test\b/);
        if (at < 0) return out;
        let i = out.indexOf(']', at) + 1;
        let depth = 0;
        for (; i < out.length; i++) {
            if (out[i] === '{') depth++;
            else if (out[i] === '}' && --depth === 0) { i++; break; }
            else if (out[i] === ';' && depth === 0) { i++; break; }
        }
        out = out.slice(0, at) + out.slice(i);
    }
}

/** Adds `file` as the module `path`, and the modules that it declares. */
function addModule(modules, file, path, base) {
    const text = strip(readFileSync(file, 'utf8'));
    const raw = readFileSync(file, 'utf8');
    const entry = { file, path, text, children: new Set() };
    modules.set(path.join('::'), entry);
    for (const [, attribute, name] of text.matchAll(/(#\[path[^\]]*\]\s*)?\bmod\s+([a-z_0-9]+)\s*;/g)) {
        const given = new RegExp(`#\\[path\\s*=\\s*"([^"]+)"\\]\\s*(?:pub(?:\\([^)]*\\))?\\s+)?mod\\s+${name}\\s*;`).exec(raw);
        const candidates = attribute && given
            ? [join(dirname(file), given[1])]
            : [join(base, `${name}.rs`), join(base, name, 'mod.rs')];
        const found = candidates.find(existsSync);
        if (!found) continue;
        entry.children.add(name);
        addModule(modules, found, [...path, name], join(base, name));
    }
}

/** All paths that a source names, as lists of segments; `use` trees are spread out. */
function* paths(text) {
    function* spread(tree, prefix) {
        const pieces = [];
        let depth = 0, piece = '';
        for (const c of tree) {
            if (c === '{') depth++;
            if (c === '}') depth--;
            if (c === ',' && depth === 0) { pieces.push(piece); piece = ''; } else piece += c;
        }
        for (const it of [...pieces, piece].map(piece => piece.trim()).filter(Boolean)) {
            const brace = it.indexOf('{');
            if (brace < 0) yield [...prefix, ...it.replace(/\s+as\s+\S+/, '').split('::').map(s => s.trim())];
            else yield* spread(it.slice(brace + 1, it.lastIndexOf('}')),
                [...prefix, ...it.slice(0, brace).split('::').map(s => s.trim()).filter(Boolean)]);
        }
    }
    for (const [, tree] of text.matchAll(/\buse\s+([^;]+);/g)) yield* spread(tree, []);
    for (const [path] of text.replace(/\buse\s+[^;]+;/g, '').matchAll(/\b[a-z_][a-z_0-9]*(?:::[A-Za-z_][A-Za-z_0-9]*)+/g))
        yield path.split('::');
}

function* edges(modules, crate) {
    for (const { path: from, text, children } of modules.values()) {
        for (const segments of paths(text)) {
            let at;
            let rest = [...segments];
            if (rest[0] === 'crate' || rest[0] === crate) { at = []; rest.shift(); }
            else if (rest[0] === 'self') { at = [...from]; rest.shift(); }
            else if (rest[0] === 'super') {
                at = [...from];
                while (rest[0] === 'super') { at = at.slice(0, -1); rest.shift(); }
            } else if (children.has(rest[0])) at = [...from];
            else {
                // A name that a `use` brought in: the module that it stands for.
                continue;
            }
            while (rest.length && modules.get(at.join('::'))?.children.has(rest[0])) at.push(rest.shift());
            const target = modules.get(at.join('::'));
            // `use super::*` of a file's own inline tests, and a path that only names a child module.
            if (!target || at.join('::') === from.join('::')) continue;
            yield [from.join('::'), at.join('::')];
        }
    }
}

/** Strongly connected parts of more than one file. */
function circles(nodes, targets) {
    const index = new Map(), low = new Map(), stack = [], on = new Set(), found = [];
    const visit = node => {
        index.set(node, index.size); low.set(node, index.get(node)); stack.push(node); on.add(node);
        for (const next of targets.get(node) ?? []) {
            if (!index.has(next)) { visit(next); low.set(node, Math.min(low.get(node), low.get(next))); }
            else if (on.has(next)) low.set(node, Math.min(low.get(node), index.get(next)));
        }
        if (low.get(node) === index.get(node)) {
            const part = [];
            let member;
            do { member = stack.pop(); on.delete(member); part.push(member); } while (member !== node);
            if (part.length > 1) found.push(part);
        }
    };
    for (const node of nodes) if (!index.has(node)) visit(node);
    return found;
}

let failed = false;
let files = 0;
for (const dir of packages(root)) {
    const manifest = readFileSync(join(dir, 'Cargo.toml'), 'utf8');
    const crate = /^name\s*=\s*"([^"]+)"/m.exec(manifest)[1].replaceAll('-', '_');
    const roots = [join(dir, 'src/lib.rs'), join(dir, 'src/main.rs'), join(dir, 'tests/main.rs'),
        join(dir, 'e2e/main.rs'), join(dir, 'cluster/main.rs')].filter(existsSync);
    for (const start of roots) {
        const modules = new Map();
        addModule(modules, start, [], dirname(start));
        files += modules.size;
        const targets = new Map();
        for (const [from, to] of edges(modules, crate)) {
            // The root names every module; what imports the root's own items makes the circle.
            if (!targets.has(from)) targets.set(from, new Set());
            targets.get(from).add(to);
        }
        if (verbose) for (const [from, to] of targets) console.log(`${crate}::${from} -> ${[...to].join(' ')}`);
        for (const part of circles(modules.keys(), targets)) {
            failed = true;
            console.error(`a circle of ${part.length} files in ${relative(root, start)}:`);
            for (const member of part.sort()) {
                const inside = [...targets.get(member)].filter(to => part.includes(to));
                console.error(`  ${relative(root, modules.get(member).file)} -> ${inside.join(', ') || '(root)'}`);
            }
        }
    }
}
if (failed) process.exit(1);
console.log(`${files} source files, no circle of imports`);
