import { listenerScript } from "../lib/bundle.mjs";
import { scenario } from "../lib/call.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { joinByKeyboard, PageUser } from "../lib/page.mjs";

const FIREFOX_TONE = 1490;
/** As on a busy machine, in milliseconds: a new voice's first packets come before its description is set. */
const DESCRIBED_AFTER = 300;
const slowly = `{
  const { prototype } = RTCPeerConnection;
  const { setRemoteDescription } = prototype;
  prototype.setRemoteDescription = async function (...given) {
    await new Promise((done) => setTimeout(done, ${DESCRIBED_AFTER}));
    return setRemoteDescription.apply(this, given);
  };
}\n`;

scenario("Firefox hears a second voice beside a silent first one (mid)", async (call) => {
  const firefox = await launchFirefox(FIREFOX_TONE);
  try {
    const ada = await come(call, "Ada", 500);
    await ada.press("Mute");
    const page = await (await firefox.newContext()).newPage();
    await page.evaluateOnNewDocument(`${slowly}window.withoutSpeakers = true;\n${await listenerScript()}`);
    await page.goto(`${call.server.url}/#secret=${call.server.secret}`);
    const fay = await joinByKeyboard(call, page, "Fay", FIREFOX_TONE);
    const ben = await come(call, "Ben", 770);
    await fay.hears(ben);
    await ada.press("Unmute");
    await Promise.all([ada, ben].map((one) => fay.hears(one)));
  } finally {
    await firefox.close();
  }
});

async function come(call, name, tone) {
  const person = await PageUser.open(call, name, { tone });
  await person.join();
  return person;
}
