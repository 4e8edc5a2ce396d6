import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { CONNECT_MS, PageUser, SEEN_MS } from "../lib/page.mjs";
import { standalone } from "../lib/server.mjs";
import { until } from "../lib/wait.mjs";

/** A DM: in any other channel the members agree on keys by themselves. */
const CHANNEL = "secret";
/** A stream whose frames cannot be opened is named within a second, and the page shows it then. */
const NAMED_MS = 2_000;

const keyOf = ({ page }) => page.evaluate(() => sessionStorage.getItem("key"));

const lock = (person, state) => person.button(`Encryption: ${state}`, { exact: true }).waitFor();

async function codeOf(person) {
  await person.page.getByRole("button", { name: /^Encryption/ }).click();
  const code = await person.page.getByRole("group", { name: "Code of this call" }).textContent();
  return code;
}

const start = () => standalone({ api: true });

scenario("an encrypted call is for those who have its key", async (call) => {
  const members = ["Ada", "Ben", "Eve", "Cleo"];
  await call.server.putChannel(CHANNEL, { kind: "dm", tier: "pro", members, encryption: "endToEnd" });
  const ada = await opened(call, "Ada", { tone: 500 });
  await ada.join("Pro", CHANNEL);
  await lock(ada, "End to end");
  const link = { channel: CHANNEL, key: await keyOf(ada) };
  const ben = await opened(call, "Ben", { tone: 770, link });
  assert.equal(new URL(ben.page.url()).hash, `#channel=${CHANNEL}`, "the key is not left in the address");
  const bens = messagesOf(ben);
  await ben.join("Pro", CHANNEL);
  await ada.hears(ben);
  await ben.hears(ada);
  await handsAndReactionsAreSealed(ada, ben, bens);
  await ben.press("Start camera");
  await ada.playsVideos(1);

  const codes = [await codeOf(ada), await codeOf(ben)];
  assert.match(codes[0], /^(\d{5} ){5}\d{5}$/);
  assert.equal(codes[0], codes[1]);
  await ben.press("They are the same");
  await ben.page.keyboard.press("Escape");
  await ada.page.keyboard.press("Escape");
  await lock(ben, "Verified");
  await lock(ada, "End to end");

  await ben.press("Mute");
  await ada.hearsNothing(1_500);
  await ben.press("Unmute");
  await ada.hears(ben);

  await ben.page.reload();
  await ben.page.getByLabel("Your name").fill("Ben");
  await ben.join("Pro", CHANNEL);
  await ada.hears(ben);
  await ben.hears(ada);

  // Somebody whose key is another one: nobody hears anybody, and each is told whom.
  const other = await opened(call, "Eve", { tone: 1130, link: { ...link, key: anotherKey(link.key) } });
  await other.join("Pro", CHANNEL);
  await banner(ada, "Waiting for the key of Eve");
  await banner(other, "Waiting for the key of Ada, Ben");
  await other.hearsNothing(1_500);
  await other.press("Leave");
  await ada.hears(ben);

  const without = await opened(call, "Cleo", { tone: 1130 });
  await without.join("Pro", CHANNEL);
  await lock(without, "No key");
  await without.hearsNothing(1_500);
}, { start });

/** What leaves a page by its sockets, and what comes. */
function messagesOf({ page }) {
  const messages = [];
  page.on("websocket", (socket) => {
    for (const event of ["framesent", "framereceived"]) socket.on(event, ({ payload }) => messages.push(String(payload)));
  });
  return messages;
}

async function handsAndReactionsAreSealed(ada, ben, bens) {
  await ben.page.keyboard.press("h");
  await ada.page.locator(".tile", { hasText: "Ben" }).getByRole("img", { name: "raised hand" }).waitFor({ timeout: SEEN_MS });
  await ada.press("React");
  await ada.press("React with 🎉");
  await ben.page.locator(".tile", { hasText: "Ada" }).locator(".reaction", { hasText: "🎉" }).first().waitFor({ timeout: SEEN_MS });
  await ada.page.keyboard.press("Escape");
  const data = bens.filter((message) => message.includes("voice:data"));
  assert.ok(data.some((message) => message.startsWith("42[") && message.includes("sessionId")), "Ada's came to Ben");
  const [sent] = data;
  const { kind, payload } = JSON.parse(sent.slice(sent.indexOf("[")))[1];
  assert.equal(kind, "railgun.sealed");
  assert.match(payload, /^[\w-]{100,}$/);
  for (const message of data) assert.doesNotMatch(message, /hand|reaction|🎉|"up"/);
  await ben.page.keyboard.press("h");
}

async function opened(call, name, options) {
  return PageUser.open(call, name, { ...options, token: await call.server.token(name, "pro") });
}

async function banner(person, text) {
  const shown = person.page.locator(".banner");
  await until(
    async () => `${person.name} is told "${text}"; it is "${await shown.textContent()}"`,
    CONNECT_MS + NAMED_MS,
    async () => ((await shown.textContent()) === text ? true : null),
  );
}

/** Of the same channel and form. */
function anotherKey(key) {
  const bytes = Buffer.from(key.slice(5), "base64url");
  bytes[bytes.length - 1] ^= 1;
  return `rgi1.${bytes.toString("base64url")}`;
}
