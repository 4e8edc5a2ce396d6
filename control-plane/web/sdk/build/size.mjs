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

/** What an entry loads at once, without what it imports when that is first used. */
function atOnce(chunks) {
  const loaded = new Set();
  const load = (chunk) => {
    if (!chunk || loaded.has(chunk)) return;
    loaded.add(chunk);
    for (const name of chunk.imports) load(chunks.find(({ fileName }) => fileName === name));
  };
  load(chunks.find(({ isEntry }) => isEntry));
  return [...loaded];
}

const gzip = (code) => gzipSync(code).length;
const total = (chunks) => gzip(chunks.map(({ code }) => code).join(""));

/** In bytes after gzip. */
export async function sizes() {
  const core = path("src/index.ts");
  const both = await bundled({ index: core, diagnostics: path("src/diagnostics.ts") }, DEPENDENCIES);
  const own = await bundled(core, DEPENDENCIES);
  const later = own.filter((chunk) => !atOnce(own).includes(chunk));
  const dist = (name) => gzip(readFileSync(path(`dist/${name}`)));
  return {
    core: total(atOnce(own)),
    "core with mediasoup-client and socket.io-client": total(atOnce(await bundled(core, []))),
    "lazy: diagnostics": gzip(both.find(({ name }) => name === "diagnostics")?.code ?? ""),
    "lazy: end-to-end encryption": total(later),
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
