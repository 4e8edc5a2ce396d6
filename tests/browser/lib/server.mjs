/** Starting the programs under test, each with ports and a folder of its own. */
import { execFile } from "node:child_process";
import { createPrivateKey, randomUUID, sign as signBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launchBrowser } from "./browser.mjs";
import { Program } from "./process.mjs";
import { until } from "./wait.mjs";

const run = promisify(execFile);
const BINARIES =
  process.env.RAILGUN_BIN_DIR ?? fileURLToPath(new URL("../../../target/debug", import.meta.url));
// Our programs take settings from a scenario alone, and refuse a variable that is none of theirs.
for (const name of Object.keys(process.env)) if (name.startsWith("RAILGUN_")) delete process.env[name];
const READY_MS = 20_000;
/** Of the operators' token. */
const SCOPES = ["channels:read", "channels:write", "calls:read"];

export function binary(name) {
  const path = join(BINARIES, name);
  if (!existsSync(path)) throw new Error(`${path} is missing; build it with: cargo build --workspace`);
  return path;
}

/** Where Debian keeps what is not for everybody's path. */
const FOLDERS = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];

/** The path of somebody else's program. */
export function installed(name) {
  const path = FOLDERS.map((folder) => join(folder, name)).find((it) => existsSync(it));
  if (!path) throw new Error(`${name} is missing; tests/setup/install-test-tools.sh installs it`);
  return path;
}

/** Below 32768-60999, of which Linux gives a port to any connection that goes out. */
const SERVER_PORTS = { first: 10_000, count: 22_000 };
let portsGiven = 0;

/**
 * A TCP port on loopback that nothing listens on, for a server that is started next. A process gets each port once, and
 * processes that run at the same time begin at different ones.
 */
export async function freePort() {
  for (let tried = 0; tried < SERVER_PORTS.count; tried += 1) {
    const port = SERVER_PORTS.first + ((process.pid * 61 + portsGiven) % SERVER_PORTS.count);
    portsGiven += 1;
    const server = createServer();
    const isFree = await new Promise((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error("no TCP port for a server is free");
}

/** What every kind of server has in common. */
export class Server {
  programs = [];
  folder = null;

  /** A browser for those who use it. */
  launchBrowser(options) {
    return launchBrowser(options);
  }

  get log() {
    return this.programs.map((program) => program.log).join("\n");
  }

  async stop() {
    await Promise.all(this.programs.map((program) => program.stop()));
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }

  /** `ready`: an address that answers well when it is, or a line that it writes. */
  async startProgram(name, args, env, ready, path = binary(name)) {
    const program = new Program(name, path, args, env);
    this.programs.push(program);
    await until(`${name} is ready`, READY_MS, async () => {
      if (!program.running) throw new Error(`${name} ended before it was ready`);
      return (ready instanceof RegExp ? ready.test(program.log) : await answers(ready)) ? true : null;
    });
    return program;
  }

  /** Ended without a word. */
  async kill(program) {
    program.child.kill("SIGKILL");
    await program.ended;
  }
}

async function answers(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
  return response?.ok ?? false;
}

/** Tests join as often as they like. */
export const ANY_JOINS = { RAILGUN_JOINS_PER_MINUTE: "0", RAILGUN_JOINS_COOLDOWN: "0" };

class Standalone extends Server {
  /** What the server gives tokens for. */
  secret = randomUUID();

  /**
   * `origins`: of pages that may talk to the server. `settings`: more of its environment. `api`: for `putChannel` and `read`.
   * `calls`: it keeps minutes of calls with user ids, which `read` tells.
   */
  constructor({ origins = [], settings = {}, api = false, calls = false } = {}) {
    super();
    Object.assign(this, { origins, settings, api: api || calls, calls });
  }

  async ready() {
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.operators = `127.0.0.1:${await freePort()}`;
    if (this.api) await this.#makeOperator();
    await this.#start().catch((error) => {
      // Somebody else took the port after it was found free.
      if (!this.log.includes("Address already in use")) throw error;
      this.programs.length = 0;
      return this.ready();
    });
  }

  async #makeOperator() {
    this.folder = await mkdtemp(join(tmpdir(), "railgun-browser-"));
    const args = ["operator-token", "--name", "tests", ...SCOPES.flatMap((scope) => ["--scope", scope])];
    const { stdout, stderr } = await run(binary("railgun-control"), args, { timeout: 10_000 });
    const kept = this.calls && { RAILGUN_CALLS_DIR: join(this.folder, "calls"), RAILGUN_CALLS_USERS: "true" };
    this.settings = { ...this.settings, ...kept, RAILGUN_OPERATORS_TOKENS: join(this.folder, "tokens.toml") };
    await writeFile(this.settings.RAILGUN_OPERATORS_TOKENS, stdout);
    this.operatorToken = stderr.trim().split(/\s+/).at(-1);
  }

  /** As an operator would: `{kind, tier, encryption, …}`. */
  async putChannel(id, record) {
    await this.#ask(`channels/${id}`, { method: "PUT", body: JSON.stringify(record) });
  }

  /** What an operator reads there, below `/v1/`. */
  async read(path) {
    return (await this.#ask(path)).json();
  }

  async #ask(path, options = {}) {
    const response = await fetch(`http://${this.operators}/v1/${path}`, {
      ...options,
      headers: { "content-type": "application/json", authorization: `Bearer ${this.operatorToken}` },
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** What operators scrape. */
  async metrics() {
    const response = await fetch(`http://${this.operators}/metrics`, { signal: AbortSignal.timeout(5_000) });
    return response.text();
  }

  /** Ended without a word, and started again where it was. It remembers nothing. */
  async restart() {
    await this.kill(this.programs.at(-1));
    await this.#start();
  }

  #start() {
    const flags = ["--dev", "--listen", `127.0.0.1:${this.port}`, "--operators-listen", this.operators];
    if (this.origins.length > 0) flags.push("--cors-origins", this.origins.join(","));
    const settings = { ...ANY_JOINS, RAILGUN_DEV_SECRET: this.secret, ...this.settings };
    return this.startProgram("railgun", flags, settings, `${this.url}/readyz`);
  }

  /** A token from the server's own trial key. */
  async token(userId, tier) {
    const response = await fetch(`${this.url}/dev/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId, tier, name: userId, secret: this.secret }),
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
    return (await response.json()).token;
  }
}

/** A server whose tokens are signed with a key of this run, in a folder of this run. */
export class KeyedServer extends Server {
  #prepared;

  /** Makes folder, keys and certificates, once. */
  prepare() {
    return (this.#prepared ??= this.#makeFolder());
  }

  async #makeFolder() {
    this.folder = await mkdtemp(join(tmpdir(), "railgun-test-"));
    this.key = this.file("token.pem");
    await run(binary("railgun-control"), ["certs", "--out", this.folder], { timeout: 10_000 });
    // Makes the key, and its public half beside it.
    await this.token("nobody", "free");
  }

  file(name) {
    return join(this.folder, name);
  }

  /** Settings of a media node: where its control link and its health are. */
  mediaSettings(rpc, health) {
    return {
      RAILGUN_RPC_LISTEN: `127.0.0.1:${rpc}`,
      RAILGUN_HEALTH_LISTEN: `127.0.0.1:${health}`,
      RAILGUN_TLS_CA: this.file("ca.pem"),
      RAILGUN_TLS_CERT: this.file("media.pem"),
      RAILGUN_TLS_KEY: this.file("media.key"),
    };
  }

  /** Settings of a control-plane on this port. */
  controlSettings(port) {
    return {
      RAILGUN_LISTEN: `127.0.0.1:${port}`,
      RAILGUN_OPERATORS_LISTEN: "off",
      RAILGUN_AUTH_JWKS: this.file("token.jwks.json"),
      RAILGUN_CHANNELS_CREATE_ON_JOIN: "true",
      RAILGUN_MEDIA_CA: this.file("ca.pem"),
      RAILGUN_MEDIA_CERT: this.file("control.pem"),
      RAILGUN_MEDIA_KEY: this.file("control.key"),
      ...ANY_JOINS,
    };
  }

  /** `more`: arguments of `railgun-control token`. */
  async token(userId, tier, ...more) {
    const args = ["token", "--key", this.key, "--user", userId, "--tier", tier, ...more];
    const { stdout } = await run(binary("railgun-control"), args, { timeout: 10_000 });
    return stdout.trim();
  }

  /** A token with claims of one's own, such as `proUntil`. */
  signed(userId, claims) {
    const now = Math.floor(Date.now() / 1000);
    return sign(this.key, { sub: userId, name: userId, iat: now, exp: now + 600, ...claims });
  }
}

/** A control-plane and a media node, which know each other by certificates made for this run. */
class TwoProcesses extends KeyedServer {
  async ready() {
    await this.prepare();
    const [control, rpc, health] = [await freePort(), await freePort(), await freePort()];
    this.url = `http://127.0.0.1:${control}`;
    const media = this.mediaSettings(rpc, health);
    await this.startProgram("railgun-media", [], media, `http://127.0.0.1:${health}/readyz`);
    const signaling = { ...this.controlSettings(control), RAILGUN_MEDIA_URL: `https://127.0.0.1:${rpc}` };
    await this.startProgram("railgun-control", ["serve"], signaling, `${this.url}/readyz`);
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

export const standalone = (options) => new Standalone(options);
export const twoProcesses = () => new TwoProcesses();
