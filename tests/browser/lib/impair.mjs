/** A bad way to a server's media ports: datagrams come late, slowly, or not at all. Chance is the same in each run. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

const HOST = "127.0.0.1";
/** Queue of a way with a rate, in milliseconds, unless it is said; what would wait longer is lost. */
const QUEUE_MS = 600;

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
  /** By client, the socket that is the client to the server. */
  #clients = new Map();
  #up = new Direction();
  #down = new Direction();
  #random = generator(1);
  /** Clients whose socket is to be replaced. */
  #leaving = new Set();
  /** When media passed to a client, in milliseconds since 1970. */
  mediaAt = [];
  /**
   * Datagrams to clients: `{at, bytes, waited}`, when each came here, and how long it waited in the queue, in milliseconds; null:
   * it was lost.
   */
  down = [];

  /**
   * From now on. `delay`, and `jitter`, up to which a datagram takes longer: in milliseconds. `loss`: 0 to 1. `bursts`, `{begin, end, lost}`:
   * for a datagram the chances that a burst begins or ends before it, and that it is lost in one. `rate`: in bit/s. `queue`:
   * in milliseconds of that rate. `stalls`, `{every, length}`, in milliseconds: so often nothing arrives for so long, and then all of
   * it. `up`, `down`: what else holds from clients to the server and back.
   */
  become({ up = {}, down = {}, ...both }) {
    this.#up.become({ ...both, ...up });
    this.#down.become({ ...both, ...down });
  }

  /**
   * Gives every client another port, with its next ICE check: before that the server cannot know. What comes
   * to the old one is lost from then on.
   */
  changePorts() {
    this.#leaving = new Set(this.#clients.keys());
  }

  /** Clients that have not yet got another port. */
  get leaving() {
    return this.#leaving.size;
  }

  async add(port) {
    const near = await this.#bind();
    const clients = this.#clients;
    near.on("message", async (datagram, client) => {
      const key = `${client.address}:${client.port} ${port}`;
      if (this.#leaving.has(key) && isCheck(datagram)) {
        this.#leaving.delete(key);
        clients.get(key)?.then((socket) => this.#forget(socket));
        clients.delete(key);
      }
      if (!clients.has(key)) {
        const far = this.#bind();
        clients.set(key, far);
        (await far).on("message", (answer) => {
          if (isMedia(answer)) this.mediaAt.push(Date.now());
          const waited = this.#pass(this.#down, near, answer, client);
          this.down.push({ at: Date.now(), bytes: answer.length, waited });
        });
      }
      this.#pass(this.#up, await clients.get(key), datagram, { port, address: HOST });
    });
    this.ports[port] = near.address().port;
  }

  close() {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #forget(socket) {
    this.#sockets = this.#sockets.filter((other) => other !== socket);
    socket.close();
  }

  async #bind() {
    const socket = createSocket("udp4").on("error", () => undefined);
    this.#sockets.push(socket);
    socket.bind(0, HOST);
    await once(socket, "listening");
    return socket;
  }

  #pass(direction, socket, datagram, { port, address }) {
    const way = direction.wayOf(datagram.length, this.#random);
    if (way === null) return null;
    setTimeout(() => {
      if (this.#sockets.includes(socket)) socket.send(datagram, port, address);
    }, way.delay);
    return way.waited;
  }
}

/** To the server, or from it. */
class Direction {
  #is = {};
  /** When what was sent has gone out at the rate, and when the last of it arrives, in milliseconds of the monotonic clock. */
  #freeAt = 0;
  #lastAt = 0;
  #isBurst = false;

  become(way) {
    const now = performance.now();
    // What waits goes on at the new rate.
    const waiting = (Math.max(0, this.#freeAt - now) * (this.#is.rate ?? Infinity)) / (way.rate ?? Infinity);
    this.#is = way;
    this.#freeAt = Number.isFinite(waiting) ? now + waiting : 0;
  }

  /** Milliseconds until it arrives, and of those in the queue: `{delay, waited}`; null: it is lost. */
  wayOf(bytes, random) {
    const { delay = 0, jitter = 0, loss = 0, bursts, rate = Infinity, queue = QUEUE_MS, stalls } = this.#is;
    if (random() < loss) return null;
    if (bursts) {
      if (random() < (this.#isBurst ? bursts.end : bursts.begin)) this.#isBurst = !this.#isBurst;
      if (this.#isBurst && random() < bursts.lost) return null;
    }
    const now = performance.now();
    const begins = Math.max(now, this.#freeAt);
    const waited = begins - now;
    if (waited > queue) return null;
    this.#freeAt = begins + (bytes * 8_000) / rate;
    // Nothing overtakes what was sent before it.
    const arrival = Math.max(this.#lastAt, this.#freeAt + delay + (jitter && jitter * random()));
    this.#lastAt = arrival + (stalls ? Math.max(0, stalls.length - (arrival % stalls.every)) : 0);
    return { delay: this.#lastAt - now, waited };
  }
}

/** By the first byte (RFC 7983). */
function isCheck(datagram) {
  return datagram[0] < 4;
}

/** RTP, not RTCP (RFC 5761, section 4). */
function isMedia(datagram) {
  const type = datagram[1] & 0x7f;
  return datagram[0] >> 6 === 2 && (type < 64 || type > 95);
}

/** Numbers from 0 to 1 that look random and are the same in every run. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
