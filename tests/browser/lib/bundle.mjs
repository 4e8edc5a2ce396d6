/** The client's code as one script, from npm's packages as they are. */
import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const source = (name) => fileURLToPath(new URL(`../client/${name}`, import.meta.url));

let bundled;

export function clientScript() {
  bundled ??= build({
    entryPoints: [source("client.js")],
    bundle: true,
    write: false,
    format: "iife",
    target: "chrome120",
    logLevel: "error",
  }).then(({ outputFiles }) => outputFiles[0].text);
  return bundled;
}

export const permuteOffersScript = () => readFile(source("permute-offers.js"), "utf8");
