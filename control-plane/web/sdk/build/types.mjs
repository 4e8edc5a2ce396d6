// TypeScript leaves imports as they are written; with `moduleResolution: nodenext` they need their extension.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

for (const name of readdirSync(dist, { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const types = readFileSync(dist + name, "utf8");
  writeFileSync(
    dist + name,
    types.replace(/(from |import\()"(\.{1,2}\/[^"]+?)(?:\.js)?"/g, (_, before, path) => `${before}"${path}.js"`),
  );
}
