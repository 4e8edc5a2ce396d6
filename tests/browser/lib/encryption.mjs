/** The code of a call that is encrypted end to end, as each page shows it. */
import { CONNECT_MS } from "./page.mjs";
import { until } from "./wait.mjs";

const codeOf = ({ page }) => page.$eval(".code", (it) => it.textContent);

/** Waits for one that is the same for all, and none of those `before`. */
export function codeOfAll(people, before = []) {
  let codes = [];
  return until(
    () => `one code, and not ${JSON.stringify(before)}: ${JSON.stringify(codes)}`,
    CONNECT_MS,
    async () => {
      codes = await Promise.all(people.map(codeOf));
      const [first] = codes;
      const isOne = /^(\d{5} ){5}\d{5}$/.test(first) && codes.every((code) => code === first);
      return isOne && !before.includes(first) ? first : null;
    },
  );
}
