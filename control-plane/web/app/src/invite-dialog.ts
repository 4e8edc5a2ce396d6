import { dialog } from "./dialogs";
import { h } from "./dom";
import { describe } from "./sentences";
import { toast } from "./toasts";
import { invitation } from "./token";
import { t } from "./texts";

/** Makes a link for one other person; there is one while the server is in development mode. */
export class InviteDialog {
  readonly element: HTMLDialogElement;
  #channel = "";
  #key: string | null = null;
  #name = h("input", { id: "invited", required: true, maxlength: 40, autocomplete: "off" });
  #link = h("input", { id: "invitation", readonly: true, "aria-describedby": "invitation-note" });
  #made = h("div", { hidden: true });

  constructor() {
    const copy = h(
      "button",
      { type: "button", class: "primary wide", onclick: () => void this.#copy() },
      t.invitation.copy,
    );
    this.#made.append(
      h("label", { for: "invitation" }, t.invitation.link),
      this.#link,
      h(
        "p",
        { class: "hint", id: "invitation-note" },
        t.invitation.note,
      ),
      copy,
    );
    this.element = dialog(
      t.invitation.title,
      "invite",
      h(
        "form",
        { class: "join", onsubmit: (event: Event) => void this.#make(event) },
        h("label", { for: "invited" }, t.invitation.theirName),
        this.#name,
        h("button", { type: "submit", class: "wide" }, t.invitation.make),
        this.#made,
      ),
    );
  }

  /** `key`: of the call, if it is encrypted from end to end. */
  open(channel: string, key: string | null): void {
    this.#channel = channel;
    this.#key = key;
    this.#name.value = "";
    this.#made.hidden = true;
    this.element.showModal();
  }

  async #make(event: Event): Promise<void> {
    event.preventDefault();
    try {
      this.#link.value = await invitation(this.#name.value.trim(), this.#channel, this.#key);
      this.#made.hidden = false;
    } catch (error) {
      toast({ text: describe(error), tone: "bad" });
    }
  }

  async #copy(): Promise<void> {
    this.#link.select();
    await navigator.clipboard.writeText(this.#link.value).then(
      () => toast({ text: t.invitation.copied, tone: "good" }),
      () => toast({ text: t.invitation.copyByHand, tone: "plain" }),
    );
  }
}
