/** A bad way to a server's media ports: datagrams come late, or not at all. Chance is the same in each run. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

const HOST = "127.0.0.1";

/** Between browsers and the media ports that a server says it opened. */
export async function impairedWayTo(server) {
  const way = new ImpairedWay();
  for (const [, port] of server.log.matchAll(/media worker starts .*port=(\d+)/g))
    await way.add(Number(port));
  return way;
}

class ImpairedWay {
  /** By the server's port, the one to send to instead: for `PageUser.open`. */
  ports = {};
  #sockets = [];
  #delay = 0;
  #loss = 0;
  #random = generator(1);

  /** From now on, in both directions. `delay`: in milliseconds. `loss`: 0 to 1. */
  become({ delay = 0, loss = 0 }) {
    this.#delay = delay;
    this.#loss = loss;
  }

  async add(port) {
    const near = await this.#bind();
    /** By client, the socket that is the client to the server. */
    const clients = new Map();
    near.on("message", async (datagram, client) => {
      const key = `${client.address}:${client.port}`;
      if (!clients.has(key)) {
        const far = this.#bind();
        clients.set(key, far);
        (await far).on("message", (answer) => this.#pass(near, answer, client));
      }
      this.#pass(await clients.get(key), datagram, { port, address: HOST });
    });
    this.ports[port] = near.address().port;
  }

  close() {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  async #bind() {
    const socket = createSocket("udp4").on("error", () => undefined);
    this.#sockets.push(socket);
    socket.bind(0, HOST);
    await once(socket, "listening");
    return socket;
  }

  #pass(socket, datagram, { port, address }) {
    if (this.#random() < this.#loss) return;
    setTimeout(() => {
      if (this.#sockets.includes(socket)) socket.send(datagram, port, address);
    }, this.#delay);
  }
}

/** Numbers from 0 to 1 that look random and are the same in every run. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
