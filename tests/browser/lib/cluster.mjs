/** A cluster as `make cluster` starts it: etcd, two replicas, two media nodes, HAProxy. */
import { fileURLToPath } from "node:url";
import { freePort, installed, KeyedServer } from "./server.mjs";

const HAPROXY_CONFIG = fileURLToPath(new URL("../../../deploy/cluster/haproxy.cfg", import.meta.url));

class Cluster extends KeyedServer {
  #replicas = [];
  #nodes = [];

  /** `settings`: more of the replicas' environment. */
  constructor({ settings = {} } = {}) {
    super();
    this.settings = settings;
  }

  async ready() {
    await this.prepare();
    await this.#startEtcd();
    await Promise.all([0, 1].map((index) => this.#startNode(index)));
    await Promise.all([0, 1].map((index) => this.#startReplica(index)));
    await this.#startProxy();
  }

  async killReplica(index) {
    await this.kill(this.#replicas[index].program);
  }

  /** A replica that was killed, where it was. */
  async startReplicaAgain(index) {
    const { port } = this.#replicas[index];
    this.#replicas[index].program = await this.#serve(port);
  }

  /** The node that has the channel's room; its name. */
  async nodeOf(channel) {
    const key = Buffer.from(`/rg/v1/room/${channel}`).toString("base64");
    const response = await fetch(`${this.etcd}/v3/kv/range`, {
      method: "POST",
      body: JSON.stringify({ key }),
    });
    const { kvs = [] } = await response.json();
    const record = Buffer.from(kvs[0]?.value ?? "", "base64").toString("latin1");
    return this.#nodes.find(({ name }) => record.includes(name))?.name ?? null;
  }

  async killNode(name) {
    await this.kill(this.#nodes.find((node) => node.name === name).program);
  }

  async #startEtcd() {
    const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
    const args = ["--name", "test", "--data-dir", this.file("etcd"), "--unsafe-no-fsync"];
    args.push("--listen-client-urls", client, "--advertise-client-urls", client);
    args.push("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer);
    args.push("--initial-cluster", `test=${peer}`);
    await this.startProgram("etcd", args, {}, `${client}/health`, installed("etcd"));
    this.etcd = client;
  }

  async #startNode(index) {
    const name = `media-${index + 1}`;
    const [rpc, health] = [await freePort(), await freePort()];
    const settings = {
      ...this.mediaSettings(rpc, health),
      RAILGUN_NODE_ID: name,
      RAILGUN_WORKERS: "1",
      RAILGUN_ETCD_ENDPOINTS: this.etcd,
    };
    const program = await this.startProgram(
      "railgun-media",
      [],
      settings,
      `http://127.0.0.1:${health}/readyz`,
    );
    this.#nodes[index] = { name, program };
  }

  async #startReplica(index) {
    const port = await freePort();
    this.#replicas[index] = { port, program: await this.#serve(port) };
  }

  #serve(port) {
    const settings = { ...this.controlSettings(port), RAILGUN_ETCD_ENDPOINTS: this.etcd, ...this.settings };
    return this.startProgram("railgun-control", ["serve"], settings, `http://127.0.0.1:${port}/readyz`);
  }

  async #startProxy() {
    const address = `127.0.0.1:${await freePort()}`;
    const [one, two] = this.#replicas.map(({ port }) => `127.0.0.1:${port}`);
    const settings = { RAILGUN_PROXY: address, RAILGUN_REPLICA_1: one, RAILGUN_REPLICA_2: two };
    this.url = `http://${address}`;
    const args = ["-f", HAPROXY_CONFIG];
    await this.startProgram("haproxy", args, settings, `${this.url}/readyz`, installed("haproxy"));
  }
}

export const cluster = (options) => new Cluster(options);
