// What the SDK weighs, as a browser loads it: minified and compressed, without and with its dependencies.
import { rolldown } from "rolldown";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const input = fileURLToPath(new URL("../src/index.ts", import.meta.url));

async function size(external) {
  const bundle = await rolldown({ input, external, platform: "browser" });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  const code = output.filter(({ type }) => type === "chunk").map((chunk) => chunk.code);
  const plain = Buffer.byteLength(code.join(""));
  return `${(gzipSync(code.join("")).length / 1000).toFixed(1)} kB (${(plain / 1000).toFixed(1)} kB before gzip)`;
}

console.log(`@railgun/voice               ${await size(["mediasoup-client", "socket.io-client"])}`);
console.log(`@railgun/voice + dependencies ${await size([])}`);
