/** Encrypted calls in the page: the key in a DM's link, the lock, the code to compare, and who is not as they seem. */
import { createInvite, type Participant, type VoiceService, type VoiceSnapshot } from "@railgun/voice";
import { keepKey, keyOf } from "./address";
import { dialog } from "./dialogs";
import { h, icon, setText } from "./dom";
import { t } from "./texts";

/** The page has no channel of its own to carry a second key, so there is one for the whole call. */
export function callKey(channel: string): { invite?: string; rotate: boolean } {
  const invite = keyOf(channel);
  return { rotate: false, ...(invite !== null && { invite }) };
}

/** Who is first in an encrypted channel makes its key; whoever comes later needs the link with it. */
export function makeKeyIfFirst(voice: VoiceService, failed: (error: unknown) => void): void {
  voice.on("inviteNeeded", ({ channelId }) => {
    if (voice.snapshot.participants.length > 0) return;
    createInvite(channelId)
      .then(async (invite) => {
        await voice.useInvite(invite);
        keepKey(channelId, invite);
      })
      .catch(failed);
  });
}

type LockState = "transport" | "endToEnd" | "verified" | "noKey" | "agreeing";

export function lockState({ encryption }: Pick<VoiceSnapshot, "encryption">): LockState {
  if (encryption?.mode !== "endToEnd") return "transport";
  if (encryption.code === null) return encryption.keys === "group" ? "agreeing" : "noKey";
  return encryption.verified ? "verified" : "endToEnd";
}

/** What keeps the others' sound and pictures away, in words; empty: nothing does. */
export function missingKeys({ encryption, participants }: Pick<VoiceSnapshot, "encryption" | "participants">): string {
  if (encryption?.mode !== "endToEnd") return "";
  if (encryption.code === null && encryption.keys === "invite") return t.encryption.ownKeyMissing;
  if (encryption.unlisted.length > 0) return t.encryption.unlisted(encryption.unlisted.map(({ userId }) => userId).join(", "));
  const named = (state: Participant["encryption"]) =>
    participants.filter((it) => it.encryption === state).map(({ name }) => name).join(", ");
  const [missing, outside] = [named("keyMissing"), named("outside")];
  if (missing !== "") return t.encryption.waitingFor(missing);
  return outside === "" ? "" : t.encryption.outside(outside);
}

/** What to look at twice, in words. */
export function doubts({ encryption, participants }: Pick<VoiceSnapshot, "encryption" | "participants">): string[] {
  const names = (are: (person: Participant) => boolean) => participants.filter(are).map(({ name }) => name).join(", ");
  const changed = names(({ identity }) => identity === "changed");
  const faulty = names(({ sessionId }) => encryption?.faulty.includes(sessionId) ?? false);
  return [changed && t.encryption.changed(changed), faulty && t.encryption.faulty(faulty)].filter((it) => it !== "");
}

/** How the call is encrypted; pressed, what that means, and the code. */
export class EncryptionLock {
  readonly element: HTMLButtonElement;
  readonly dialog: HTMLDialogElement;
  #word = h("span", {});
  #meaning = h("p", {});
  #doubts = h("p", { class: "doubts" });
  #code = h("p", { class: "code", role: "group", "aria-label": t.encryption.code });
  #compare: HTMLElement;
  #confirm: HTMLButtonElement;
  #shown: VoiceSnapshot["encryption"] = null;

  constructor(voice: VoiceService) {
    this.element = h(
      "button",
      { type: "button", class: "lock-state", onclick: () => this.dialog.showModal() },
      icon("lock"),
      this.#word,
    );
    const confirm = () => voice.confirmCode(!this.#shown?.verified);
    this.#confirm = h("button", { type: "button", class: "primary wide", onclick: confirm });
    this.#compare = h("div", {}, h("p", {}, t.encryption.compare), this.#code, this.#confirm);
    this.dialog = dialog(t.encryption.title, "encryption", this.#meaning, this.#doubts, this.#compare);
  }

  render(snapshot: VoiceSnapshot): void {
    this.#shown = snapshot.encryption;
    const state = lockState(snapshot);
    const word = t.encryption.states[state];
    this.element.dataset["state"] = state;
    this.element.hidden = !snapshot.encryption;
    setText(this.#word, word);
    this.element.title = word;
    this.element.setAttribute("aria-label", t.encryption.lock(word));
    setText(this.#meaning, t.encryption.meanings[state]);
    const words = doubts(snapshot).join(" ");
    setText(this.#doubts, words);
    this.#doubts.hidden = words === "";
    setText(this.#code, snapshot.encryption?.code ?? "");
    setText(this.#confirm, state === "verified" ? t.encryption.notSame : t.encryption.same);
    this.#compare.hidden = !snapshot.encryption?.code;
  }
}
