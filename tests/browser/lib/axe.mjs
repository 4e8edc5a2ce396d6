/** Whether what the page shows can be used by everybody, as far as axe can tell. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** For `PageUser.open`: the page's own policy lets no other script in. */
export const CHECKED = { bypassCSP: true };

/** No violation in what a person who was opened with `CHECKED` sees now. */
export async function isAccessible({ name, page }, what) {
  if (!(await page.evaluate(() => "axe" in window))) await page.addScriptTag({ path: AXE });
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
  assert.deepEqual(told, [], `${what}, as ${name} sees it`);
}
