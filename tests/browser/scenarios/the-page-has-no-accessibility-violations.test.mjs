import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const LOOKS = [
  { name: "Ada", colorScheme: "light" },
  { name: "Ben", colorScheme: "dark" },
  { name: "Cleo", colorScheme: "light", viewport: { width: 390, height: 800 } },
];

scenario("the page has no accessibility violations", async (call) => {
  const people = [];
  for (const { name, ...look } of LOOKS) {
    // The page's own policy lets no other script in.
    const person = await PageUser.open(call, name, { ...look, bypassCSP: true });
    await person.page.addScriptTag({ path: AXE });
    people.push(person);
    await passes(person, "the lobby");
    await person.join(name === "Cleo" ? "Free" : "Pro");
  }
  const [ada, ben, cleo] = people;
  await ben.press("Start camera");
  for (const person of people) {
    await person.playsVideos(1);
    await passes(person, "a call");
    await person.press("Quality");
    await person.page.getByText("Direct (UDP)").waitFor();
    await passes(person, "the call's quality");
    await person.press("Close call quality");
    await person.press("Settings");
    await passes(person, "the settings");
    await person.page.keyboard.press("Escape");
  }
  await cleo.press("People");
  await passes(cleo, "the list of people");
  await cleo.press("Close people");
  await cleo.press("Start camera");
  await passes(cleo, "the offer of Pro");
  await ada.press("Mute");
  await passes(ada, "a muted microphone");
});

async function passes({ name, page }, what) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
  assert.deepEqual(told, [], `${what}, as ${name} sees it`);
}
