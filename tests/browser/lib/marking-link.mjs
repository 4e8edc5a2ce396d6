/** A link to a server's media port that keeps ECN bits and sets them: `marking-link.py`. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { within } from "./wait.mjs";

const PROGRAM = fileURLToPath(new URL("marking-link.py", import.meta.url));
const ANSWER_MS = 10_000;

export class MarkingLink {
  /** By the server's port, the one to send to instead. */
  ports = {};

  /**
   * To the one media port of a server. `narrow`: `up` or `down`, where it has a `rate` in bit/s and a `queue` in milliseconds, of
   * which more than `mark` marks; `delay`: in each direction, in milliseconds.
   */
  static async to(server, { narrow, rate, queue = 300, mark = 0, delay = 20 }) {
    const [[, port]] = [...server.log.matchAll(/media worker starts .*port=(\d+)/g)];
    const link = new MarkingLink();
    const options = JSON.stringify({ port: Number(port), narrow, rate, queue, mark, delay });
    link.process = spawn("python3", [PROGRAM, options], { stdio: ["pipe", "pipe", "inherit"] });
    link.lines = createInterface({ input: link.process.stdout })[Symbol.asyncIterator]();
    link.ports[port] = (await link.#line()).port;
    return link;
  }

  /**
   * What it saw: `waits`, of each datagram of the narrow direction when it came, in milliseconds since 1970, and how long it waited;
   * how many were `lost` and `marked`, and the `bytes` that passed; `ecn`, how many by direction, kind and ECN bits.
   */
  async close() {
    this.process.stdin.end();
    return this.#line();
  }

  async #line() {
    const { value, done } = await within("the marking link", ANSWER_MS, this.lines.next());
    if (done) throw new Error("the marking link ended");
    return JSON.parse(value);
  }
}
