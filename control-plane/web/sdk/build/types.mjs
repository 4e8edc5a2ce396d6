// TypeScript leaves imports as they are written; with `moduleResolution: nodenext` they need their extension.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

// Usage: types.mjs FOLDER, of the package's own.
const dist = `${process.argv[2]}/`;

for (const name of readdirSync(dist, { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const types = readFileSync(dist + name, "utf8");
  writeFileSync(
    dist + name,
    types.replace(/(from |import\()"(\.{1,2}\/[^"]+?)(?:\.js)?"/g, (_, before, path) => `${before}"${path}.js"`),
  );
}
