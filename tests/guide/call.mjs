/** The call of run.py: people on hosts of their own, by the page. Argument: JSON {url, folder, people: [{name, token, on}]}. */
import { createInterface } from "node:readline";
import { launchOn } from "../browser/lib/network.mjs";
import { PageUser, pathsOf } from "../browser/lib/page.mjs";

const { url, folder, people } = JSON.parse(process.argv[2]);
const TONES = [500, 770, 1_100];
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Says where people are, and waits until that was looked at. */
async function seen(channel) {
  console.log(`talking in ${channel}`);
  await answers.next();
}

const notes = [];
const browsers = [];
try {
  const users = [];
  for (const [index, { name, token, on }] of people.entries()) {
    const browser = await launchOn(on, `${folder}/browser-${name}`, {});
    browsers.push(browser);
    const call = { browser, server: { url }, note: (text) => notes.push(text) };
    users.push(await PageUser.open(call, name, { url, token, tone: TONES[index], ignoreHTTPSErrors: true }));
  }
  const [ada, ben, cleo] = users;
  for (const user of users) console.log(`${user.name} joined in ${await user.join("Pro", "lobby")} ms`);
  for (const user of users) for (const other of users) if (user !== other) await user.hears(other);
  const paths = { ada: await pathsOf(ada), cleo: await pathsOf(cleo) };
  if (!paths.ada.every(({ local }) => local !== "relay")) throw new Error(JSON.stringify(paths));
  if (!paths.cleo.length || !paths.cleo.every((of) => of.local === "relay" && of.relayProtocol !== "udp"))
    throw new Error(JSON.stringify(paths));
  console.log(`all three hear each other; Cleo by the relay over ${paths.cleo[0].relayProtocol}`);
  await seen("lobby");
  for (const user of users) await user.press("Leave");
  // The rooms are gone a moment later.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  await ben.join("Pro", "garden");
  await seen("garden");
} catch (error) {
  console.log(notes.slice(-40).join("\n"));
  console.log(error.stack);
  process.exitCode = 1;
} finally {
  await Promise.all(browsers.map((browser) => browser.close()));
  process.exit();
}
