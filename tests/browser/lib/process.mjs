/** A program of ours: its output kept for the case that a test fails, and an end by its own id. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { within } from "./wait.mjs";

const LINES_KEPT = 300;
const STOP_MS = 5_000;

// A test run that is ended from outside ends by "exit" as well, where the programs are ended.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

export class Program {
  #lines = [];

  constructor(name, path, args, env = {}) {
    this.name = name;
    this.child = spawn(path, args, {
      env: { ...process.env, RUST_LOG: process.env.RUST_LOG ?? "info", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = once(this.child, "close").catch(() => undefined);
    this.child.on("error", (error) => this.#keep(`cannot be started: ${error.message}`));
    for (const input of [this.child.stdout, this.child.stderr]) {
      createInterface({ input }).on("line", (line) => this.#keep(line));
    }
    // Whatever becomes of the test, nothing of it stays behind.
    process.once("exit", () => this.child.kill("SIGKILL"));
  }

  get running() {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  get log() {
    return this.#lines.map((line) => `[${this.name}] ${line}`).join("\n");
  }

  /** SIGTERM, and SIGKILL for what does not listen. */
  async stop() {
    if (!this.running) return;
    this.child.kill("SIGTERM");
    await within(`${this.name}'s stop`, STOP_MS, this.ended).catch(() => this.child.kill("SIGKILL"));
  }

  #keep(line) {
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
  }
}
