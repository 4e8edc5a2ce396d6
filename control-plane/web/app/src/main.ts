import { deviceIdOfTab, VoiceError, VoiceService, initVoiceService } from "@railgun/voice";
import { Gestures } from "@railgun/voice/gestures";
import { joinsByItself, takeFromAddress } from "./address";
import { callKey, makeKeyIfFirst } from "./encryption";
import { CallView } from "./call-view";
import { byId, show } from "./dom";
import { describe, describeEnd } from "./sentences";
import { type JoinForm, Lobby } from "./lobby";
import { applyPreferences, preferences } from "./preferences";
import { toast } from "./toasts";
import { tokenFor } from "./token";
import { t } from "./texts";

takeFromAddress();
document.documentElement.lang = t.code;
const app = byId("app");
const settings = pageSettings();
const lobby = new Lobby({ join });
show(app, lobby.element);
lobby.open();
if (joinsByItself()) lobby.joinAtOnce();

async function join(form: JoinForm): Promise<void> {
  let voice: VoiceService;
  let gestures: Gestures;
  // On its way while everything else is made ready; later ones are asked for when they are needed.
  const ask = () => tokenFor(form.name, form.tier);
  let first: Promise<string> | null = ask();
  first.catch(() => undefined);
  const token = () => {
    const asked = first ?? ask();
    first = null;
    return asked;
  };
  try {
    // Two tabs of this page are two people, so they are two devices as well.
    voice = await initVoiceService({ token, deviceId: deviceIdOfTab(), ...(await settings) });
    await applyPreferences(voice);
    // Before the join: whose hand is up is told as soon as one is in.
    gestures = new Gestures(voice);
    makeKeyIfFirst(voice, (error) => toast({ text: describe(error), tone: "bad" }));
    await voice.joinChannel(form.channel, { muted: form.muted, e2ee: callKey(form.channel) });
  } catch (error) {
    toast({ text: describe(error), tone: "bad" });
    return;
  }
  const call = new CallView(voice, gestures, form, (error, answered) => {
    show(app, lobby.element);
    document.title = "Rail Gun";
    lobby.open();
    if (answered !== undefined) lobby.answer(answered);
    if (error) toast({ text: describeEnd(error), tone: "bad" });
  });
  show(app, call.element);
  document.title = `${form.channel} · Rail Gun`;
  call.open();
  if (form.camera) {
    await voice.toggleVideo().catch((error: unknown) => {
      if (!(error instanceof VoiceError && error.code === "CANCELLED"))
        toast({ text: describe(error, "camera"), tone: "bad" });
    });
  }
  preferences.save({ name: form.name, channel: form.channel });
}

/** What the server's operators set for this page. */
async function pageSettings(): Promise<{ upgradeUrl?: string }> {
  try {
    const { upgradeUrl } = (await (await fetch("/page.json")).json()) as { upgradeUrl: string | null };
    return upgradeUrl ? { upgradeUrl } : {};
  } catch {
    return {};
  }
}
