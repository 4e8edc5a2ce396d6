/** The language of the page: as chosen, or else the browser's first that there is, or else English. */
import { preferences } from "../preferences";
import { de } from "./de";
import { en, type Texts } from "./en";

export type { Texts } from "./en";

export const LANGUAGES: readonly { code: "en" | "de"; name: string; texts: Texts }[] = [
  { code: "en", name: "English", texts: en },
  { code: "de", name: "Deutsch", texts: de },
];

/** `wanted`: by preference, as `navigator.languages` has them. */
export function choose(chosen: string, wanted: readonly string[]): Texts {
  const codes = [chosen, ...wanted].map((code) => code.toLowerCase().split("-")[0]);
  for (const code of codes) {
    const found = LANGUAGES.find((language) => language.code === code);
    if (found) return found.texts;
  }
  return en;
}

export const t: Texts = choose(preferences.values.language, navigator.languages);

/** Numbers with one digit after the point, as the language writes them. */
export const tenths = new Intl.NumberFormat(t.code, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
