/** The page's texts in its languages, and whether a page shows one of another language. */
import assert from "node:assert/strict";
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../../control-plane/web/app/src/texts/", import.meta.url));

export async function textsOf(language) {
  const entryPoints = [`${FOLDER}${language}.ts`];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, format: "esm", logLevel: "error" });
  const code = Buffer.from(outputFiles[0].text).toString("base64");
  return (await import(`data:text/javascript;base64,${code}`))[language];
}

function* sentences(value) {
  for (const inner of Object.values(value)) {
    if (typeof inner === "string") yield inner.trim();
    else if (typeof inner === "object") yield* sentences(inner);
  }
}

/** What a page shows, and what its elements are called, holds no text of `foreign` that `own` has not as well. */
export async function speaksOnly(person, own, foreign, what) {
  const allowed = new Set(sentences(own));
  const wrong = new Set([...sentences(foreign)].filter((text) => text && !allowed.has(text)));
  const shown = await person.page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode.textContent.trim());
    for (const element of document.querySelectorAll("[aria-label], [title], [placeholder]"))
      for (const name of ["aria-label", "title", "placeholder"]) texts.push(element.getAttribute(name) ?? "");
    return [...texts, document.documentElement.lang];
  });
  assert.equal(shown.at(-1), own.code);
  assert.deepEqual(shown.filter((text) => wrong.has(text)), [], `${what} in ${own.code}`);
}
