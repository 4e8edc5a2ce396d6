/** A server, and browsers on a host with several interfaces, each with an address of its own. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { launchOn, Network } from "./network.mjs";
import { ANY_JOINS, binary, KeyedServer } from "./server.mjs";

const run = promisify(execFile);

const NODE = "203.0.113.2";
const OPERATORS = `${NODE}:9090`;

class Multihomed extends KeyedServer {
  url = `http://${NODE}:8080`;

  constructor(interfaces) {
    super();
    const client = Array.from({ length: interfaces }, (_, place) => `203.0.113.${10 + place}`);
    this.network = new Network({ client, node: NODE });
    /** Of the client, that let no media through: what browsers like best, last. */
    this.closed = client.slice(0, -1).reverse();
    for (const address of this.closed) this.network.forbidUdpFrom("client", address);
  }

  /** One more of the client's interfaces works from now on, which a browser likes better than those before. */
  openInterface() {
    this.network.allowUdpFrom("client", this.closed.shift());
  }

  async ready() {
    await this.prepare();
    const settings = {
      ...ANY_JOINS,
      RAILGUN_LISTEN: `${NODE}:8080`,
      RAILGUN_OPERATORS_LISTEN: OPERATORS,
      RAILGUN_ANNOUNCED_ADDRESS: NODE,
      RAILGUN_AUTH_JWKS: this.file("token.jwks.json"),
    };
    const [command, ...before] = this.network.on("node");
    await this.startProgram("node", [...before, binary("railgun")], settings, /listening/, command);
  }

  async launchBrowser(options) {
    await this.prepare();
    return launchOn(this.network.on("client"), this.file("browser"), { ...options, trusted: this.url });
  }

  /** What operators scrape, by name without labels. */
  async metrics() {
    const fetchIt = `fetch("http://${OPERATORS}/metrics").then((it) => it.text()).then(console.log)`;
    const [command, ...before] = this.network.on("node");
    const { stdout } = await run(command, [...before, process.execPath, "-e", fetchIt], { timeout: 10_000 });
    const lines = stdout.matchAll(/^(\w+)(?:\{[^}]*\})? ([\d.]+)/gm);
    const sums = {};
    for (const [, name, value] of lines) sums[name] = (sums[name] ?? 0) + Number(value);
    return sums;
  }

  async stop() {
    await super.stop();
    this.network.remove();
  }
}

export const withInterfaces = (count) => () => new Multihomed(count);
