// What an application imports, and beside it what it loads into its audio thread or a worker by URL: scripts of one
// piece each, since they cannot be bundled with the rest, and the noise suppression's WebAssembly.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { defineConfig } from "rolldown";

const RNNOISE = createRequire(import.meta.url).resolve("@jitsi/rnnoise-wasm/dist/rnnoise.wasm");

const script = (name, source = `src/worklet/${name}.ts`) => ({
  input: { [name]: source },
  output: { dir: "dist", format: "esm", minify: true, sourcemap: true },
});

/** HPKE's library looks for WebCrypto in old versions of Node as well, which bundlers for browsers stumble over. */
const withoutNodesCrypto = {
  name: "without-nodes-crypto",
  transform(code, id) {
    return id.includes("@hpke") && code.includes('import("crypto")') ? { code: code.replaceAll(`import("crypto")`, "{}"), map: null } : null;
  },
};

export default defineConfig([
  {
    input: {
      index: "src/index.ts",
      diagnostics: "src/diagnostics.ts",
      gestures: "src/gestures.ts",
      background: "src/background.ts",
    },
    external: ["mediasoup-client", "socket.io-client"],
    plugins: [withoutNodesCrypto],
    // What both need is beside them, where `new URL("./input-worklet.js", import.meta.url)` is right as well.
    output: { dir: "dist", format: "esm", cleanDir: true, sourcemap: true, chunkFileNames: "[name].js" },
  },
  script("input-worklet"),
  script("e2ee-worker", "src/e2ee/worker.ts"),
  {
    ...script("denoise-worklet"),
    plugins: [
      {
        name: "rnnoise",
        generateBundle() {
          this.emitFile({ type: "asset", fileName: "rnnoise.wasm", source: readFileSync(RNNOISE) });
        },
      },
    ],
  },
]);
