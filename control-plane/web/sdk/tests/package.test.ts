/// <reference types="node" />
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sizes } from "../build/size.mjs";

const SDK = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(SDK, "../node_modules");
/** Bytes after gzip. */
const CORE_MAX = 20_000;
const WHOLE_MAX = 75_000;
const E2EE_MAX = 11_000;
const GROUP_MAX = 40_000;

/** A script of the package with everything that it imports at once. */
function loadedWith(name: string, loaded = new Set<string>()): string {
  if (loaded.has(name)) return "";
  loaded.add(name);
  const script = readFileSync(join(SDK, "dist", name), "utf8");
  const imports = [...script.matchAll(/^(?:import|export) [^\n]*?"\.\/([^"]+)";$/gm)];
  return script + imports.map(([, imported = ""]) => loadedWith(imported, loaded)).join("");
}

let folder: string;
let tarball: Buffer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "railgun-package-"));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: SDK });
  const [name = ""] = readdirSync(folder);
  tarball = readFileSync(join(folder, name));
  execFileSync("tar", ["-xzf", name], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the package as npm packs it", () => {
  it("has what its licences ask for, its documents, and a source map for each script", () => {
    const files = readdirSync(join(folder, "package"), { recursive: true }).map(String);
    expect(files).toEqual(
      expect.arrayContaining(["README.md", "LICENSE-MIT", "LICENSE-APACHE", "NOTICE", "docs/state-machine.md"]),
    );
    for (const name of ["LICENSE-MIT", "LICENSE-APACHE"])
      expect(readFileSync(join(SDK, name), "utf8")).toBe(readFileSync(join(SDK, "../../..", name), "utf8"));
    for (const name of ["RNNoise", "ts-mls"]) expect(readFileSync(join(SDK, "NOTICE"), "utf8")).toContain(name);
    const scripts = files.filter((name) => name.endsWith(".js"));
    expect(scripts.length).toBeGreaterThan(3);
    for (const name of scripts) {
      expect(files).toContain(`${name}.map`);
      const { sources, sourcesContent } = JSON.parse(readFileSync(join(folder, "package", `${name}.map`), "utf8"));
      expect(sourcesContent).toHaveLength(sources.length);
    }
  });

  it("is found by publint to be as it says", async () => {
    const { messages, pkg } = await publint({ strict: true, pack: { tarball: new Uint8Array(tarball).buffer } });
    expect(messages.map((message) => formatMessage(message, pkg as never))).toEqual([]);
  });

  it("has types that attw finds right under node16, nodenext and bundler", async () => {
    const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)));
    if (!analysis.types) throw new Error("no types");
    // It is ESM alone, which `require` of older Node cannot load.
    const problems = analysis.problems.filter(({ kind }) => kind !== "CJSResolvesToESM");
    // TypeScript before 4.7 knows no `exports`.
    expect(problems.filter((it) => !("resolutionKind" in it && it.resolutionKind === "node10"))).toEqual([]);
  });

  it.each([
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("compiles in a strict application: module %s, resolution %s", (module, resolution) => {
    const app = join(folder, `app-${resolution}`);
    mkdirSync(join(app, "node_modules/@railgun"), { recursive: true });
    symlinkSync(join(folder, "package"), join(app, "node_modules/@railgun/voice"));
    mkdirSync(join(folder, "package/node_modules"), { recursive: true });
    for (const name of ["mediasoup-client", "socket.io-client"])
      try {
        symlinkSync(join(MODULES, name), join(folder, "package/node_modules", name));
      } catch {
        // There since the case before.
      }
    writeFileSync(join(app, "package.json"), `{"type":"module"}`);
    writeFileSync(
      join(app, "main.ts"),
      `import { initVoiceService, VoiceError, type VoiceSnapshot } from "@railgun/voice";
import { Diagnostics } from "@railgun/voice/diagnostics";
const voice = await initVoiceService({ token: "t" });
const off: () => void = voice.on("notice", (notice) => {
  if (notice.kind === "sourceFailed") console.log(notice.error.code === "CAPTURE_DENIED", notice.error instanceof VoiceError);
});
const snapshot: VoiceSnapshot = voice.snapshot;
const name: string | undefined = snapshot.participants[0]?.name;
// @ts-expect-error: no such event
voice.on("nothing", () => undefined);
// @ts-expect-error: wants a boolean
voice.setMuted("yes");
// @ts-expect-error: no such source
voice.publishTrack(new MediaStreamTrack(), { source: "window" });
console.log(off, name, new Diagnostics({ token: "t" }).networkTest());
`,
    );
    const options = { module, moduleResolution: resolution, target: "es2022", lib: ["es2022", "dom"], types: [] };
    const compilerOptions = { ...options, strict: true, noEmit: true, skipLibCheck: true };
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    const tsc = join(MODULES, ".bin/tsc");
    const run = () => execFileSync(tsc, ["-p", app], { encoding: "utf8" });
    let told = "";
    try {
      told = run();
    } catch (error) {
      told = (error as { stdout: string }).stdout;
    }
    expect(told).toBe("");
  });
});

describe("the size budget", () => {
  it("core ≤ 20 kB gzip of our own, ≤ 75 kB with its dependencies, what is lazy apart", async () => {
    const measured = await sizes();
    expect(measured.core).toBeLessThanOrEqual(CORE_MAX);
    expect(measured["core with mediasoup-client and socket.io-client"]).toBeLessThanOrEqual(WHOLE_MAX);
    for (const part of ["measuring, once a call stands", "diagnostics", "end-to-end encryption"])
      expect(measured[`lazy: ${part}`]).toBeGreaterThan(1_000);
    expect((measured["lazy: end-to-end encryption"] ?? 0) + (measured["lazy: e2ee-worker.js"] ?? 0)).toBeLessThanOrEqual(E2EE_MAX);
    expect(measured["lazy: keys of a group (MLS)"]).toBeGreaterThan(10_000);
    expect(measured["lazy: keys of a group (MLS)"]).toBeLessThanOrEqual(GROUP_MAX);
    // A part that became eager would be among what the core's script imports.
    const core = loadedWith("index.js");
    expect(core).toContain("voice:join");
    const lazy = ["networkTest", "MediaRecorder", "railgun-denoise", "rgi1.", "railgun-e2ee", "concealedSamples", "setHand", "MLS_128"];
    for (const part of lazy) expect(core).not.toContain(part);
  });
});
