// Three files: what an application imports, and the scripts that it loads into its audio thread by URL,
// each of one piece, since such a script cannot be bundled with the rest.
import { defineConfig } from "rolldown";

const script = (name) => ({
  input: `src/worklet/${name}.ts`,
  output: { file: `dist/${name}.js`, format: "esm", minify: true },
});

export default defineConfig([
  {
    input: "src/index.ts",
    external: ["mediasoup-client", "socket.io-client"],
    output: { file: "dist/index.js", format: "esm" },
  },
  script("input-worklet"),
  script("denoise-worklet"),
]);
