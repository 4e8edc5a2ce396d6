import { scenario } from "../lib/call.mjs";
import { codeOfAll } from "../lib/encryption.mjs";
import { invitePeople } from "../lib/load.mjs";
import { CONNECT_MS, PageUser } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

const CHANNEL = "club";
const NATIVE = 3;

/** Two implementations of MLS and of the rules of who acts: the SDK in Chromium, and mls-rs behind the Rust client. */
scenario("native clients (mls) are in one encrypted group with pages", async (call) => {
  await call.server.putChannel(CHANNEL, { tier: "pro", encryption: "endToEnd" });
  const ada = await join(call, "Ada", 500);
  const alone = await codeOfAll([ada]);
  // They come at once into the page's group: it adds them.
  const load = invitePeople(call, NATIVE, { video: 1, channel: CHANNEL, mls: true });
  await ada.sees(1 + NATIVE, CONNECT_MS);
  await ada.playsVideos(1);
  await ada.hearsSomething(CONNECT_MS);
  const four = await oneCode([ada], load, [alone]);
  await opened(load, NATIVE);

  // Somebody comes by a page, into the group that has native members.
  const ben = await join(call, "Ben", 770);
  const five = await oneCode([ada, ben], load, [alone, four]);
  await ben.playsVideos(1);
  await ada.hears(ben);
  await ben.hears(ada);
  await opened(load, 2 * NATIVE);

  // Who founded the group leaves; whoever is next in order removes it, in a page or not.
  await ada.press("Leave");
  const without = await oneCode([ben], load, [alone, four, five]);
  await load.stop();
  await ben.sees(1, CONNECT_MS);
  await codeOfAll([ben], [alone, four, five, without]);
}, { start: () => standalone({ api: true }) });

async function join(call, name, tone) {
  const person = await PageUser.open(call, name, { tone });
  await person.join("Pro", CHANNEL);
  await person.button("Encryption: End to end", { exact: true }).waitFor();
  return person;
}

/** Of the pages and of the first of the load, none of those `before`. */
async function oneCode(people, load, before) {
  const code = await codeOfAll(people, before);
  await until(() => `${code} at the load`, CONNECT_MS, () => (lastOf(load)?.code === code ? code : null));
  return code;
}

/** So many streams of pages, one for each who receives it. */
async function opened(load, count) {
  await until(() => `${count} streams opened: ${JSON.stringify(lastOf(load))}`, CONNECT_MS, () =>
    lastOf(load)?.opened >= count ? true : null,
  );
}

function lastOf({ log }) {
  const [, code, count] = [...log.matchAll(/: code ([\d ]{35}), something opened of (\d+) streams/g)].at(-1) ?? [];
  return code && { code, opened: Number(count) };
}
