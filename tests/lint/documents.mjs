#!/usr/bin/env node
// Fails if a document is missing in docs/SUMMARY.md or docs/llms.txt, if either names one that does not exist, or if a
// link of a document leads to a file or a heading that does not exist.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

const root = resolve(process.env.ROOT ?? join(dirname(new URL(import.meta.url).pathname), '../..'));
/** What no reader looks for in a book. */
const LEFT_OUT = new Set(['docs/SUMMARY.md', '.github/pull_request_template.md']);
const LINK = /\[(?:[^\]`]|`[^`]*`)*\]\(([^)\s]+)\)/g;
const errors = [];

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' });
const documents = tracked.split('\n').filter(path => path && !path.includes('node_modules') && existsSync(join(root, path)));
const read = path => readFileSync(join(root, path), 'utf8');
const pathOf = (from, link) => posix.normalize(posix.join(posix.dirname(from), decodeURI(link.split('#')[0])));

/** Without blocks and spans of code, in which nothing is a link. */
const prose = text => text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, code => '`'.repeat(code.length));

/** As GitHub and mdBook make them of headings. */
function anchors(text) {
    const seen = new Map();
    const headings = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
    return new Set([...headings].map(([, heading]) => {
        const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
        const anchor = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
        const count = seen.get(anchor) ?? 0;
        seen.set(anchor, count + 1);
        return count ? `${anchor}-${count}` : anchor;
    }));
}

for (const list of ['docs/SUMMARY.md', 'docs/llms.txt']) {
    if (!existsSync(join(root, list))) {
        errors.push(`${list} does not exist`);
        continue;
    }
    const named = new Set([...read(list).matchAll(LINK)].map(([, link]) => pathOf(list, link)));
    for (const document of documents) {
        if (!LEFT_OUT.has(document) && !named.has(document)) errors.push(`${list} does not name ${document}`);
    }
    for (const path of named) {
        if (!documents.includes(path)) errors.push(`${list} names ${path}, which is no document`);
    }
}

let links = 0;
for (const document of documents) {
    for (const [, link] of prose(read(document)).matchAll(LINK)) {
        if (/^[a-z][a-z+.-]*:/i.test(link)) continue;
        links += 1;
        const path = link.startsWith('#') ? document : pathOf(document, link);
        const anchor = link.split('#')[1];
        if (!existsSync(join(root, path))) errors.push(`${document}: ${link} leads nowhere`);
        else if (anchor && path.endsWith('.md') && !anchors(read(path)).has(anchor)) {
            errors.push(`${document}: ${link}: ${path} has no such heading`);
        }
    }
}

for (const error of errors) console.error(error);
if (errors.length) process.exit(1);
console.log(`${documents.length} documents, ${links} links between them: all there`);
