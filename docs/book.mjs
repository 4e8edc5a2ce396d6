#!/usr/bin/env node
// Puts the documents that SUMMARY.md names together in target/book/src, where mdBook finds them, and builds the site in
// target/book/html if mdbook is installed. Paths stay as they are in the repository, so that links between documents work;
// a link to anything else becomes its text, since the site does not have it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

const root = resolve(dirname(new URL(import.meta.url).pathname), '..');
const target = join(root, 'target/book/src');
const LINK = /\[([^\]]*)\]\(([^)\s]+)\)/g;

const summary = readFileSync(join(root, 'docs/SUMMARY.md'), 'utf8');
const pathOf = (from, link) => posix.normalize(posix.join(posix.dirname(from), link.split('#')[0]));
const documents = new Set([...summary.matchAll(LINK)].map(([, , link]) => pathOf('docs/SUMMARY.md', link)));

rmSync(join(root, 'target/book'), { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const list of ['SUMMARY.md', 'llms.txt']) {
    const text = readFileSync(join(root, 'docs', list), 'utf8');
    const moved = text.replace(LINK, (_, text, link) => `[${text}](${pathOf(`docs/${list}`, link)})`);
    writeFileSync(join(target, list), moved);
}
for (const document of documents) {
    const text = readFileSync(join(root, document), 'utf8').replace(LINK, (whole, text, link) => {
        if (/^(https?:|mailto:|#)/.test(link) || documents.has(pathOf(document, link))) return whole;
        return text;
    });
    mkdirSync(join(target, dirname(document)), { recursive: true });
    writeFileSync(join(target, document), text);
}
console.log(`${documents.size} documents are in target/book/src`);
try {
    execFileSync('mdbook', ['build', join(root, 'docs')], { stdio: 'inherit' });
} catch (error) {
    if (error.code !== 'ENOENT') process.exit(1);
    console.log('mdbook is not installed (cargo install mdbook): no site was built');
}
