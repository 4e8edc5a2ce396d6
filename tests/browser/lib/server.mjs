/** Starting the programs under test, each with ports and a folder of its own. */
import { execFile } from "node:child_process";
import { createPrivateKey, sign as signBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Program } from "./process.mjs";
import { until } from "./wait.mjs";

const run = promisify(execFile);
const BINARIES =
  process.env.RAILGUN_BIN_DIR ?? fileURLToPath(new URL("../../../target/debug", import.meta.url));
const READY_MS = 20_000;

function binary(name) {
  const path = join(BINARIES, name);
  if (!existsSync(path)) throw new Error(`${path} is missing; build it with: cargo build --workspace`);
  return path;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What both kinds of server have in common. */
class Server {
  programs = [];
  folder = null;

  get log() {
    return this.programs.map((program) => program.log).join("\n");
  }

  async stop() {
    await Promise.all(this.programs.map((program) => program.stop()));
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }

  async startProgram(name, args, env, healthUrl) {
    const program = new Program(name, binary(name), args, env);
    this.programs.push(program);
    await until(`${name} is ready`, READY_MS, async () => {
      if (!program.running) throw new Error(`${name} ended before it was ready`);
      const response = await fetch(`${healthUrl}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(
        () => null,
      );
      return response?.ok ? true : null;
    });
  }
}

/** Tests join as often as they like. */
const ANY_JOINS = { RAILGUN_JOINS_PER_MINUTE: "0", RAILGUN_JOINS_COOLDOWN: "0" };

class Standalone extends Server {
  async ready() {
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    await this.#start();
  }

  /** Ended without a word, and started again where it was. It remembers nothing. */
  async restart() {
    const [program] = this.programs.splice(0);
    program.child.kill("SIGKILL");
    await program.ended;
    await this.#start();
  }

  #start() {
    const flags = ["--listen", `127.0.0.1:${this.port}`, "--operators-listen", "off"];
    return this.startProgram("railgun", flags, ANY_JOINS, this.url);
  }

  /** A token from the server's own trial key. */
  async token(userId, tier) {
    const response = await fetch(`${this.url}/dev/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId, tier, name: userId }),
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
    return (await response.json()).token;
  }
}

/** A control-plane and a media node, which know each other by certificates made for this run. */
class TwoProcesses extends Server {
  async ready() {
    this.folder = await mkdtemp(join(tmpdir(), "railgun-test-"));
    this.key = join(this.folder, "token.pem");
    await run(binary("railgun-control"), ["certs", "--out", this.folder], { timeout: 10_000 });
    // Makes the key, and its public half beside it.
    await this.token("nobody", "free");
    const [control, rpc, health] = [await freePort(), await freePort(), await freePort()];
    this.url = `http://127.0.0.1:${control}`;
    const file = (name) => join(this.folder, name);
    const media = {
      RAILGUN_RPC_LISTEN: `127.0.0.1:${rpc}`,
      RAILGUN_HEALTH_LISTEN: `127.0.0.1:${health}`,
      RAILGUN_TLS_CA: file("ca.pem"),
      RAILGUN_TLS_CERT: file("media.pem"),
      RAILGUN_TLS_KEY: file("media.key"),
    };
    await this.startProgram("railgun-media", [], media, `http://127.0.0.1:${health}`);
    const signaling = {
      RAILGUN_LISTEN: `127.0.0.1:${control}`,
      RAILGUN_OPERATORS_LISTEN: "off",
      RAILGUN_AUTH_JWKS: file("token.jwks.json"),
      RAILGUN_CHANNELS_CREATE_ON_JOIN: "true",
      ...ANY_JOINS,
      RAILGUN_MEDIA_URL: `https://127.0.0.1:${rpc}`,
      RAILGUN_MEDIA_CA: file("ca.pem"),
      RAILGUN_MEDIA_CERT: file("control.pem"),
      RAILGUN_MEDIA_KEY: file("control.key"),
    };
    await this.startProgram("railgun-control", ["serve"], signaling, this.url);
  }

  async token(userId, tier) {
    const args = ["token", "--key", this.key, "--user", userId, "--tier", tier];
    const { stdout } = await run(binary("railgun-control"), args, { timeout: 10_000 });
    return stdout.trim();
  }

  /** A token with claims of one's own, such as `proUntil`. */
  signed(userId, claims) {
    const now = Math.floor(Date.now() / 1000);
    return sign(this.key, { sub: userId, name: userId, iat: now, exp: now + 600, ...claims });
  }
}

/** Of the PEM file only the secret half, which is all that Node reads (RFC 8410, section 7). */
async function privateKey(path) {
  const pem = await readFile(path, "utf8");
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const mark = Buffer.from("04220420", "hex");
  const at = der.indexOf(mark) + mark.length;
  const header = Buffer.from("302e020100300506032b657004220420", "hex");
  const key = Buffer.concat([header, der.subarray(at, at + 32)]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

/** A JWT of the contract (EdDSA), with whatever claims. `key`: the PEM file, its JWKS beside it. */
async function sign(key, claims) {
  const { keys } = JSON.parse(await readFile(key.replace(/pem$/, "jwks.json"), "utf8"));
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ alg: "EdDSA", typ: "JWT", kid: keys[0].kid })}.${encode(claims)}`;
  const signature = signBytes(null, Buffer.from(text), await privateKey(key));
  return `${text}.${signature.toString("base64url")}`;
}

export const standalone = () => new Standalone();
export const twoProcesses = () => new TwoProcesses();
