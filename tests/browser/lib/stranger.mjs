/** Somebody who has nothing of ours but the packages: a project of their own, in a folder of its own. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Program } from "./process.mjs";
import { until } from "./wait.mjs";

const run = promisify(execFile);
const WEB = fileURLToPath(new URL("../../../control-plane/web/", import.meta.url));
const INSTALL_MS = 60_000;
const START_MS = 20_000;

/** The paths of the packages, as `npm pack` makes them. */
async function packed(folder) {
  for (const name of ["sdk", "react"])
    await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: join(WEB, name), timeout: INSTALL_MS });
  return (await readdir(folder)).filter((name) => name.endsWith(".tgz")).map((name) => join(folder, name));
}

export class Project {
  programs = [];

  /** A copy of one of the examples, with the packages installed from npm and from the tarballs. */
  static async copyOf(example) {
    const folder = await mkdtemp(join(tmpdir(), "railgun-stranger-"));
    const project = new Project(folder);
    await cp(join(WEB, "examples", example), join(folder, "app"), {
      recursive: true,
      filter: (path) => !/node_modules|dist/.test(path.slice(WEB.length)),
    });
    const usesReact = example === "react";
    const tarballs = (await packed(folder)).filter((path) => usesReact || !path.includes("railgun-react"));
    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs], {
      cwd: project.app,
      timeout: INSTALL_MS,
    });
    return project;
  }

  constructor(folder) {
    this.folder = folder;
    this.app = join(folder, "app");
  }

  /** `vite dev` or `vite preview`; `server`: of Rail Gun. */
  async serve(command, port, server) {
    const vite = new Program(
      `vite ${command}`,
      join(this.app, "node_modules/.bin/vite"),
      [command, this.app, "--host", "localhost", "--port", String(port), "--strictPort"],
      { VITE_RAILGUN_URL: server },
    );
    this.programs.push(vite);
    await until(`vite ${command} serves`, START_MS, async () => {
      if (!vite.running) throw new Error(`vite ended: ${vite.log}`);
      return (await fetch(`http://localhost:${port}/`).catch(() => null))?.ok ? true : null;
    });
    return vite;
  }

  async build(server) {
    const env = { ...process.env, VITE_RAILGUN_URL: server };
    await run(join(this.app, "node_modules/.bin/vite"), ["build", this.app], { env, timeout: INSTALL_MS });
  }

  async remove() {
    await Promise.all(this.programs.map((program) => program.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }
}
