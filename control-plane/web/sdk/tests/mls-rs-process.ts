/// <reference types="node" />
/** `tests/mls-peer`, MLS by mls-rs, as a process that answers lines of JSON; `make mls-peer` builds it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

const PEER = fileURLToPath(new URL("../../../../target/mls-peer/debug/railgun-mls-peer", import.meta.url));
export const isBuilt = existsSync(PEER);
if (!isBuilt && process.env["RAILGUN_MLS_PEER"]) throw new Error(`there is no ${PEER}`);

export class RustProcess {
  #child: ChildProcess;
  #lines: Interface;
  #answers: ((line: string) => void)[] = [];

  constructor() {
    this.#child = spawn(PEER, { stdio: ["pipe", "pipe", "inherit"] });
    if (!this.#child.stdout) throw new Error("no output");
    this.#lines = createInterface(this.#child.stdout);
    this.#lines.on("line", (line) => this.#answers.shift()?.(line));
  }

  /** One request after the other is answered, in order. */
  async ask<Answer extends object = Record<string, string>>(what: string, given: object = {}): Promise<Answer> {
    const answered = new Promise<string>((resolve) => this.#answers.push(resolve));
    this.#child.stdin?.write(`${JSON.stringify({ do: what, ...given })}\n`);
    const answer = JSON.parse(await answered) as Answer & { error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  end(): void {
    this.#lines.close();
    this.#child.kill();
  }
}
