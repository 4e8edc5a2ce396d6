/** A standalone server whose operators write records. */
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { standalone } from "./server.mjs";

const SCOPES = ["channels:write"];

/** `server.write(path, record)` puts one. */
export function operated() {
  const token = randomUUID();
  const folder = mkdtempSync(join(tmpdir(), "railgun-operators-"));
  const file = join(folder, "tokens.toml");
  const sha256 = createHash("sha256").update(token).digest("hex");
  writeFileSync(file, `[[token]]\nname = "test"\nsha256 = "${sha256}"\nscopes = ${JSON.stringify(SCOPES)}\n`);
  const server = standalone({ settings: { RAILGUN_OPERATORS_TOKENS: file } });
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    async write(path, record) {
      const response = await fetch(`http://${server.operators}/v1/${path}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(record),
        signal: AbortSignal.timeout(5_000),
      });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    },
    async stop() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
