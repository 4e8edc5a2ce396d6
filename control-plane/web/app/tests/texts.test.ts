/// <reference types="node" />
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";

vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
vi.stubGlobal("navigator", { languages: ["fr"] });
const { choose } = await import("../src/texts");
const { de } = await import("../src/texts/de");
const { en } = await import("../src/texts/en");

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
/** The same in both languages. */
const SAME = ["join.pro", "invitation.link"];

/** Every text by its place; functions as they are. */
function* textsOf(value: object, path = ""): Generator<[string, unknown]> {
  for (const [key, inner] of Object.entries(value)) {
    const at = path ? `${path}.${key}` : key;
    if (typeof inner === "object" && inner !== null) yield* textsOf(inner, at);
    else yield [at, inner];
  }
}

/** What a function makes of arguments that are in no language. */
const said = (text: unknown) =>
  typeof text === "function" ? String(text(...[["Ada", 3], 7, 8].slice(0, text.length).flat())) : String(text);

describe("the languages of the page", () => {
  it("say each text in words of their own", () => {
    const german = new Map(textsOf(de));
    const english = [...textsOf(en)].filter(([, text]) => typeof text === "string");
    expect(english.length).toBeGreaterThan(150);
    const untranslated = english.filter(([path, text]) => german.get(path) === text).map(([path]) => path);
    expect(untranslated.filter((path) => !SAME.includes(path))).toEqual([]);
    for (const [path, text] of textsOf(en)) {
      if (typeof text !== "function" || path.includes("errors.") || path === "upgrade.what" || path === "join.there") continue;
      // Punctuation and figures alone are nobody's words.
      if (/[a-z]{4}/i.test(said(text).replaceAll("Ada", ""))) expect(said(german.get(path)), path).not.toBe(said(text));
    }
  });

  it("translate every sentence of the SDK's verdict on the network", () => {
    const source = readFileSync(fileURLToPath(new URL("../../sdk/src/verdict.ts", import.meta.url)), "utf8");
    const sentences = [...source.matchAll(/"([A-Z][^"\n]*\.)"/g)].map(([, sentence = ""]) => sentence);
    expect(sentences.length).toBeGreaterThan(15);
    expect(sentences.filter((sentence) => !de.checks.verdicts[sentence])).toEqual([]);
  });

  it("are chosen by hand, then by the browser's list, and English is the last resort", () => {
    expect(choose("", ["fr-FR", "de-AT", "en"]).code).toBe("de");
    expect(choose("en", ["de-DE"]).code).toBe("en");
    expect(choose("", ["fr"]).code).toBe("en");
    expect(choose("nonsense", []).code).toBe("en");
  });

  it("have every word that the page shows: none stands in its source", () => {
    // In what an element shows or is called by: a child of `h`, or one of these attributes.
    const shown = [
      /(?:"aria-label"|title|placeholder|alt|label|text):\s*["`]([^"`]*[A-Za-z]{3}[^"`]*)["`]/g,
      /[,(]\s*["`]([A-Z][^"`$]* [^"`]*|[A-Z][a-z]{2,}[^"`]*)["`]\s*[,)]/g,
      /\?\s*["`]([A-Z][^"`]*)["`]\s*:/g,
    ];
    const names = ["Rail Gun", "English", "Deutsch"];
    const isCode = /^(HTMLInputElement|[A-Z_]+|ResizeObserver|Escape|Enter|index\.html.*)$/;
    for (const file of readdirSync(SRC).filter((name) => name.endsWith(".ts"))) {
      const source = readFileSync(SRC + file, "utf8").replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      for (const pattern of shown) {
        const found = [...source.matchAll(pattern)].map(([, text = ""]) => text);
        expect(found.filter((text) => !names.includes(text) && !isCode.test(text)), file).toEqual([]);
      }
    }
  });
});
