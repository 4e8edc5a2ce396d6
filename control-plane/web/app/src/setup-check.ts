import type { VoiceOptions } from "@railgun/voice";
import type { Diagnostics, EchoPhase, NetworkResult } from "@railgun/voice/diagnostics";
import { h, icon, setText } from "./dom";
import { Meter } from "./meter";
import { describe } from "./sentences";
import { t, tenths } from "./texts";

const PHASES: Record<EchoPhase, string> = t.checks.phases;

type Check = "mic" | "speaker" | "echo" | "network";

/** The tests before a call: microphone, speaker, echo, network. */
export class SetupCheck {
  readonly element: HTMLElement;
  #meter = new Meter(t.devices.level);
  /** Loaded at the first test: most people join without one. */
  #diagnostics: Promise<Diagnostics> | null = null;
  #results: Record<Check, HTMLElement> = {
    mic: result(),
    speaker: result(),
    echo: result(),
    network: result(),
  };
  #buttons: HTMLButtonElement[] = [];

  constructor(
    private readonly options: VoiceOptions,
    private readonly chosen: () => { microphone: string; speaker: string },
    /** Device names are known once a device was allowed. */
    private readonly onAllowed: () => void,
  ) {
    const row = (
      key: Check,
      picture: string,
      title: string,
      text: string,
      button: string,
      run: () => Promise<void>,
      extra?: HTMLElement,
    ) => {
      const start = h(
        "button",
        { type: "button", class: "small", onclick: () => void this.#run(run, key) },
        button,
      );
      this.#buttons.push(start);
      return h(
        "li",
        {},
        h("span", { class: "badge" }, icon(picture)),
        h(
          "div",
          { class: "check-text" },
          h("h3", {}, title),
          extra ?? h("p", { class: "about" }, text),
          this.#results[key],
        ),
        start,
      );
    };
    this.element = h(
      "section",
      { class: "checks", "aria-label": t.checks.title },
      h("h2", {}, t.checks.title),
      h(
        "ul",
        {},
        row(
          "mic",
          "mic",
          t.devices.microphone,
          "",
          t.checks.testMicrophone,
          () => this.#testMicrophone(),
          this.#meter.element,
        ),
        row("speaker", "speaker", t.devices.speaker, t.checks.speakerText, t.checks.playTone, () => this.#testSpeaker()),
        row("echo", "echo", t.checks.echo, t.checks.echoText, t.checks.record, () =>
          this.#testEcho(),
        ),
        row("network", "signal", t.checks.network, t.checks.networkText, t.checks.testNetwork, () =>
          this.#testNetwork(),
        ),
      ),
    );
  }

  reset(): void {
    for (const element of Object.values(this.#results)) say(element, "", "");
    this.#meter.show(-100);
  }

  async useMicrophone(deviceId: string): Promise<void> {
    await this.#diagnostics?.then((it) => it.openMicrophone(deviceId)).catch(() => undefined);
  }

  async close(): Promise<void> {
    const diagnostics = this.#diagnostics;
    this.#diagnostics = null;
    await (await diagnostics?.catch(() => null))?.close();
  }

  #open(): Promise<Diagnostics> {
    this.#diagnostics ??= import("@railgun/voice/diagnostics").then(
      ({ Diagnostics }) =>
        new Diagnostics(this.options, (levels) => {
          this.#meter.show(levels.input);
          if (levels.speaking) say(this.#results.mic, "good", t.checks.heard);
        }),
    );
    // Its script may be had at the next try.
    this.#diagnostics.catch(() => (this.#diagnostics = null));
    return this.#diagnostics;
  }

  async #run(test: () => Promise<void>, key: Check): Promise<void> {
    for (const button of this.#buttons) button.disabled = true;
    try {
      await test();
    } catch (error) {
      say(this.#results[key], "poor", describe(error));
    } finally {
      for (const button of this.#buttons) button.disabled = false;
    }
  }

  async #testMicrophone(): Promise<void> {
    say(this.#results.mic, "", t.checks.saySomething);
    await (await this.#open()).openMicrophone(this.chosen().microphone);
    this.onAllowed();
  }

  async #testSpeaker(): Promise<void> {
    say(this.#results.speaker, "", t.checks.playing);
    const { playTestTone } = await import("@railgun/voice/diagnostics");
    await playTestTone(this.chosen().speaker);
    say(this.#results.speaker, "", t.checks.didYouHear);
  }

  async #testEcho(): Promise<void> {
    const output = this.#results.echo;
    await (await this.#open()).openMicrophone(this.chosen().microphone);
    const found = await (await this.#open()).echoTest(
      (phase) => say(output, "", PHASES[phase]),
      this.chosen().speaker,
    );
    this.onAllowed();
    if (found.level < -50) say(output, "poor", t.checks.tooQuiet);
    else if (found.echo)
      say(output, "fair", t.checks.hasEcho);
    else if (!found.throughServer)
      say(output, "fair", t.checks.withoutServer);
    else say(output, "good", t.checks.clear);
  }

  async #testNetwork(): Promise<void> {
    const output = this.#results.network;
    say(output, "", t.checks.measuring);
    const { verdict, ...reading } = await (await this.#open()).networkTest();
    say(output, verdict.grade, inLanguage(verdict.text));
    const [advice] = verdict.advice;
    if (advice) output.append(h("span", { class: "advice" }, inLanguage(advice)));
    output.append(details(reading));
  }
}

function details({ rtt, packetLoss, bandwidth, udp, turn }: Omit<NetworkResult, "verdict">): HTMLElement {
  const parts = [
    t.checks.toServer(Math.round(rtt)),
    packetLoss === null ? null : t.checks.lost(tenths.format(packetLoss)),
    bandwidth === null ? null : t.checks.up(tenths.format(bandwidth / 1e6)),
    udp === null ? null : udp ? t.checks.udpOpen : t.checks.udpBlocked,
    turn === null ? null : turn ? t.checks.relayReachable : t.checks.relayUnreachable,
  ];
  return h("span", { class: "figures" }, parts.filter((part) => part !== null).join(" · "));
}

/** A sentence of the SDK's verdict. */
function inLanguage(sentence: string): string {
  return t.checks.verdicts[sentence] ?? sentence;
}

function result(): HTMLElement {
  return h("p", { class: "result", role: "status" });
}

function say(element: HTMLElement, grade: "" | "good" | "fair" | "poor", text: string): void {
  element.className = `result ${grade}`;
  setText(element, text);
}
