/**
 * What a receiver in Chromium sees over bad links (`lib/links.mjs`), each by itself, beside what it is held to.
 * Usage: node measure/links.mjs [PART OF A NAME]
 * With `CCFB=1` by RFC 8888 feedback, which Chromium has behind a field trial; with `STORY=1` each change of layer and freeze.
 */
import { CCFB_TRIAL, launchBrowser } from "../lib/browser.mjs";
import { cameraInLayers, LINKS, seenOver } from "../lib/links.mjs";
import { standalone } from "../lib/server.mjs";

const [part = ""] = process.argv.slice(2);
const isCcfb = Boolean(process.env.CCFB);
const server = standalone({ settings: isCcfb ? { RAILGUN_RTC_CCFB: "true" } : {} });
const notes = [];
const call = { server, people: [], note: (line) => notes.push(line) };
try {
  await server.ready();
  call.browser = await launchBrowser(isCcfb ? { trial: CCFB_TRIAL } : {});
  const sender = await cameraInLayers(call);
  for (const link of LINKS.filter(({ name }) => name.includes(part))) {
    const seen = await seenOver(call, sender, link);
    if (isCcfb !== seen.answer.includes("ack ccfb")) throw new Error("it is not the feedback that was asked for");
    if (process.env.STORY) console.log(seen.story());
    for (const { name, value, target, holds } of link.figures(seen))
      console.log(`${holds ? "    " : "NOT "} ${link.name} | ${name} | ${value.toFixed(2)} | ${target}`);
  }
} catch (error) {
  console.error([...notes.slice(-60), server.log].join("\n"));
  throw error;
} finally {
  await call.browser?.close();
  await server.stop();
}
