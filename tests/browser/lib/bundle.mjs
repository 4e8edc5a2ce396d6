/** The client's code as one script, from npm's packages as they are. */
import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const source = (name) => fileURLToPath(new URL(`../client/${name}`, import.meta.url));

const bundled = new Map();

function script(name) {
  if (!bundled.has(name)) {
    const built = build({
      entryPoints: [source(name)],
      bundle: true,
      write: false,
      format: "iife",
      target: "chrome120",
      logLevel: "error",
    });
    bundled.set(
      name,
      built.then(({ outputFiles }) => outputFiles[0].text),
    );
  }
  return bundled.get(name);
}

export const clientScript = () => script("client.js");
export const listenerScript = () => script("listener.js");

/** The SDK's worker for end-to-end encryption, as the text of a classic worker. */
export const encryptionWorkerScript = () => script("../../../control-plane/web/sdk/src/e2ee/worker.ts");

export const permuteOffersScript = () => readFile(source("permute-offers.js"), "utf8");
