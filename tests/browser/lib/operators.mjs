/** A standalone server whose operators write records and read calls. */
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { standalone } from "./server.mjs";

const SCOPES = ["channels:write", "calls:read"];

/** `server.write(path, record)` puts one, `server.read(path)` gets one. `calls`: minutes of calls are kept, with user ids. */
export function operated({ calls = false } = {}) {
  const token = randomUUID();
  const folder = mkdtempSync(join(tmpdir(), "railgun-operators-"));
  const file = join(folder, "tokens.toml");
  const sha256 = createHash("sha256").update(token).digest("hex");
  writeFileSync(file, `[[token]]\nname = "test"\nsha256 = "${sha256}"\nscopes = ${JSON.stringify(SCOPES)}\n`);
  const kept = calls && { RAILGUN_CALLS_DIR: join(folder, "calls"), RAILGUN_CALLS_USERS: "true" };
  const server = standalone({ settings: { RAILGUN_OPERATORS_TOKENS: file, ...kept } });
  const stop = server.stop.bind(server);
  const ask = async (path, options = {}) => {
    const response = await fetch(`http://${server.operators}/v1/${path}`, {
      ...options,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  return Object.assign(server, {
    operatorToken: token,
    async write(path, record) {
      await ask(path, { method: "PUT", body: JSON.stringify(record) });
    },
    async read(path) {
      return (await ask(path)).json();
    },
    async stop() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
