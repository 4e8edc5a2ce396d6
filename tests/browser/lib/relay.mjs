/** A server with a relay: Debian's coturn as `railgun-control turn-config` sets it up. */
import { execFile } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { launchOn, Network } from "./network.mjs";
import { ANY_JOINS, binary, installed, KeyedServer } from "./server.mjs";

const run = promisify(execFile);

const RELAY = "203.0.113.1";
const NODE = "203.0.113.2";
const REALM = "turn.example.org";

class Relayed extends KeyedServer {
  url = `http://${NODE}:8080`;

  #tls;
  #certificate;

  /**
   * `udp`: whether the browsers' network lets any through. `tls`: whether the relay is reached by nothing but TLS on
   * port 443.
   */
  constructor({ udp, tls = false }) {
    super();
    this.#tls = tls;
    const addresses = { client: "203.0.113.10", relay: RELAY, node: NODE };
    this.network = new Network(addresses);
    if (!udp) this.network.dropUdp("client");
  }

  async ready() {
    await this.prepare();
    await this.#startRelay();
    const plain = [`turn:${RELAY}:3478?transport=udp`, `turn:${RELAY}:3478?transport=tcp`];
    const settings = {
      ...ANY_JOINS,
      RAILGUN_LISTEN: `${NODE}:8080`,
      RAILGUN_OPERATORS_LISTEN: "off",
      RAILGUN_ANNOUNCED_ADDRESS: NODE,
      RAILGUN_AUTH_JWKS: this.file("token.jwks.json"),
      RAILGUN_RTC_RELAYS: RELAY,
      RAILGUN_TURN_URLS: this.#tls ? `turns:${REALM}:443?transport=tcp` : plain.join(),
      RAILGUN_TURN_SECRETS_FILE: this.file("turn.secrets"),
    };
    await this.#startOn("node", "railgun", binary("railgun"), [], settings, /listening/);
  }

  /** On the client's host. The page comes over plain HTTP, which browsers trust on their own host alone. */
  async launchBrowser(options) {
    const tls = await this.#relayAsSeen();
    return launchOn(this.network.on("client"), this.file("browser"), { ...options, trusted: this.url, tls });
  }

  /** With the hash by which a browser takes a certificate that no authority of its own signed. */
  async #relayAsSeen() {
    this.#certificate ??= this.prepare().then(() => this.#makeCertificate());
    await this.#certificate;
    const { publicKey } = new X509Certificate(await readFile(this.file("relay.pem")));
    const key = publicKey.export({ type: "spki", format: "der" });
    return { host: REALM, address: RELAY, keyHash: createHash("sha256").update(key).digest("base64") };
  }

  async stop() {
    await super.stop();
    this.network.remove();
  }

  async #makeCertificate() {
    const made = this.file("relay");
    await run(binary("railgun-control"), ["certs", "--out", made, "--node-san", REALM]);
    await rename(`${made}/media.pem`, this.file("relay.pem"));
    await rename(`${made}/media.key`, this.file("relay.key"));
  }

  async #startRelay() {
    await this.#relayAsSeen();
    await writeFile(this.file("turn.secrets"), "the-secret-of-this-run");
    const config = this.file("turnserver.conf");
    const args = ["turn-config", "--nodes", NODE, "--secrets-file", this.file("turn.secrets")];
    args.push("--realm", REALM, "--listen-ip", RELAY, "--log-file", "stdout", "--out", config);
    args.push("--cert", this.file("relay.pem"), "--key", this.file("relay.key"));
    await run(binary("railgun-control"), args);
    const own = ["-c", config, "--pidfile", this.file("turn.pid"), "--userdb", this.file("turn.db")];
    await this.#startOn("relay", "turnserver", installed("turnserver"), own, {}, /Total General servers/);
  }

  #startOn(host, name, path, args, settings, ready) {
    const [command, ...before] = this.network.on(host);
    return this.startProgram(name, [...before, path, ...args], settings, ready, command);
  }
}

export const besideARelay = () => new Relayed({ udp: true });
/** For browsers whose network lets TCP through and nothing else. */
export const withoutUdp = () => new Relayed({ udp: false });
/** For browsers whose network lets nothing through but TLS. */
export const withTlsAlone = () => new Relayed({ udp: false, tls: true });
