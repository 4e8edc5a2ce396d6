import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { io } from "socket.io-client";
import { ANY_JOINS, freePort, Server } from "../lib/server.mjs";
import { within } from "../lib/wait.mjs";

const run = promisify(execFile);
const RECIPES = fileURLToPath(new URL("../../../control-plane/web/examples/tokens", import.meta.url));
const has = (program, ...args) => spawnSync(program, args).status === 0;

const LANGUAGES = [
  { name: "Node", command: ["node", "sign-token.mjs"], skip: false },
  {
    name: "Python",
    command: ["python3", "sign_token.py"],
    skip: !has("python3", "-c", "import cryptography") && "python3 lacks cryptography",
  },
  { name: "Go", command: ["go", "run", "sign_token.go"], skip: !has("go", "version") && "go is not installed" },
];

for (const { name, command, skip } of LANGUAGES) {
  test(`the token recipe in ${name} signs what the server takes`, { timeout: 60_000, skip }, async () => {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "railgun-token-"));
    try {
      await cp(RECIPES, server.folder, { recursive: true });
      const options = { cwd: server.folder, timeout: 30_000 };
      await run("node", ["sign-token.mjs", "keys"], options);
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const flags = ["--listen", `127.0.0.1:${port}`, "--operators-listen", "off"];
      flags.push("--jwks", join(server.folder, "token.jwks.json"));
      await server.startProgram("railgun", flags, ANY_JOINS, `${url}/readyz`);

      const [program, ...args] = command;
      const { stdout } = await run(program, [...args, "ada", "pro"], options);
      const token = stdout.trim();
      const { permissions } = await replyTo(url, token);
      assert.equal(permissions.video, true);
      // Not because it takes everything.
      await assert.rejects(replyTo(url, `${token.slice(0, -8)}AAAAAAAA`), /UNAUTHORIZED/);
    } finally {
      await server.stop();
    }
  });
}

/** The reply to a join with this token. */
async function replyTo(url, token) {
  const socket = io(url, { auth: { token }, transports: ["websocket"], reconnection: false, forceNew: true });
  try {
    await within("the connection", 10_000, new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    }));
    return await socket.timeout(10_000).emitWithAck("voice:join", { channelId: "lobby" });
  } finally {
    socket.close();
  }
}
