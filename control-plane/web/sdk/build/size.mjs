// Bytes of the SDK as a browser loads it, minified and compressed: what a call needs at once, and each part that
// is loaded when it is first used.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const DEPENDENCIES = ["mediasoup-client", "socket.io-client"];
const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

async function bundled(input, external) {
  const bundle = await rolldown({ input, external, platform: "browser" });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  return output.filter(({ type }) => type === "chunk");
}

/** What is loaded with these chunks, without what they import when that is first used. */
function withImports(chunks, first) {
  const loaded = new Set();
  const load = (chunk) => {
    if (!chunk || loaded.has(chunk)) return;
    loaded.add(chunk);
    for (const name of chunk.imports) load(chunks.find(({ fileName }) => fileName === name));
  };
  first.forEach(load);
  return [...loaded];
}

const atOnce = (chunks) => withImports(chunks, [chunks.find(({ isEntry }) => isEntry)]);

const gzip = (code) => gzipSync(code).length;
const total = (chunks) => gzip(chunks.map(({ code }) => code).join(""));

/** In bytes after gzip. */
export async function sizes() {
  const core = path("src/index.ts");
  const entries = Object.fromEntries(["index", "diagnostics", "gestures", "background"].map((it) => [it, path(`src/${it}.ts`)]));
  const all = await bundled(entries, DEPENDENCIES);
  const own = await bundled(core, DEPENDENCIES);
  const parts = (names) => {
    const found = own.filter(({ name }) => names.includes(name));
    if (found.length !== names.length) throw new Error(`no such parts: ${names}`);
    return withImports(own, found);
  };
  /** Beside the core and the parts that are there `before`. */
  const later = (names, before = []) => {
    const there = [...atOnce(own), ...parts(before)];
    return total(parts(names).filter((chunk) => !there.includes(chunk)));
  };
  const encryption = ["encryption", "invite"];
  const entry = (wanted) => gzip(all.find(({ name, isEntry }) => isEntry && name === wanted).code);
  const dist = (name) => gzip(readFileSync(path(`dist/${name}`)));
  return {
    core: total(atOnce(own)),
    "core with mediasoup-client and socket.io-client": total(atOnce(await bundled(core, []))),
    "lazy: measuring, once a call stands": later(["monitor"]),
    "lazy: diagnostics": entry("diagnostics"),
    "lazy: gestures": entry("gestures"),
    "lazy: background": entry("background"),
    "lazy: volumes above 1": later(["louder"]),
    "lazy: end-to-end encryption": later(encryption),
    "lazy: keys of a group (MLS)": later(["group-keys"], encryption),
    "lazy: e2ee-worker.js": dist("e2ee-worker.js"),
    "lazy: input-worklet.js": dist("input-worklet.js"),
    "lazy: denoise-worklet.js": dist("denoise-worklet.js"),
    "lazy: rnnoise.wasm": dist("rnnoise.wasm"),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, bytes] of Object.entries(await sizes())) {
    console.log(`${name.padEnd(50)} ${(bytes / 1000).toFixed(1).padStart(6)} kB`);
  }
}
