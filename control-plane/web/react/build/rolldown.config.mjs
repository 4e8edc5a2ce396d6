import { copyFileSync } from "node:fs";
import { defineConfig } from "rolldown";

export default defineConfig({
  input: { index: "src/index.ts", de: "src/texts/de.ts" },
  external: [/^react(\/|$)/, /^@railgun\/voice(\/|$)/],
  output: { dir: "dist", format: "esm", cleanDir: true, sourcemap: true, chunkFileNames: "[name].js" },
  plugins: [{ name: "styles", writeBundle: () => copyFileSync("src/styles.css", "dist/styles.css") }],
});
