import { CHECKED, isAccessible } from "../lib/axe.mjs";
import { scenario } from "../lib/call.mjs";
import { PageUser } from "../lib/page.mjs";

const LOOKS = [
  { name: "Ada", colorScheme: "light" },
  { name: "Ben", colorScheme: "dark" },
  { name: "Cleo", colorScheme: "light", viewport: { width: 390, height: 800 } },
];

scenario("the page has no accessibility violations", async (call) => {
  const people = [];
  for (const { name, ...look } of LOOKS) {
    const person = await PageUser.open(call, name, { ...look, ...CHECKED });
    people.push(person);
    await isAccessible(person, "the lobby");
    await person.press("Play tone");
    await person.press("Turn camera preview on");
    await person.page.getByText("Did you hear it?").waitFor();
    await isAccessible(person, "the lobby after tests");
    await person.press("Turn camera preview off");
    await person.join(name === "Cleo" ? "Free" : "Pro");
    await isAccessible(person, "a call");
  }
  const [ada, ben, cleo] = people;
  await ben.press("Start camera");
  for (const person of people) {
    await person.playsVideos(1);
    await isAccessible(person, "a call with a camera");
    await person.page.locator(".quality").click();
    await person.page.getByText("Direct (UDP)").waitFor();
    await isAccessible(person, "the call's quality");
    await person.press("Close call quality");
    await person.press("Settings");
    await isAccessible(person, "the settings");
    if (person === ada) await person.picture("settings");
    await person.page.keyboard.press("Escape");
  }
  await cleo.press("People");
  await isAccessible(cleo, "the list of people");
  await cleo.press("Close people");
  await cleo.press("Start camera");
  await isAccessible(cleo, "the offer of Pro");
  await cleo.press("Get Pro");
  await isAccessible(cleo, "a message");

  await ada.press("Mute");
  await ben.press("Deafen");
  await ben.press("Share screen");
  for (const person of people) {
    await person.playsVideos(2);
    await isAccessible(person, "a shared screen, somebody muted, somebody deaf");
  }

  await call.server.stop();
  for (const person of people) {
    await person.page.getByText(/Reconnecting|Joining again/).waitFor();
    await isAccessible(person, "the way back after a broken connection");
  }
  await ada.press("Leave");
  await isAccessible(ada, "the lobby after a call");
});
