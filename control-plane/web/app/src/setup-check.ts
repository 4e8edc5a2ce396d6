import type { VoiceOptions } from "@railgun/voice";
import type { Diagnostics, EchoPhase, NetworkResult } from "@railgun/voice/diagnostics";
import { h, icon, setText } from "./dom";
import { Meter } from "./meter";
import { describe } from "./sentences";

const PHASES: Record<EchoPhase, string> = {
  connecting: "Connecting…",
  recording: "Say something: recording three seconds…",
  playing: "This is how others hear you…",
};

type Check = "mic" | "speaker" | "echo" | "network";

/** The tests before a call: microphone, speaker, echo, network. */
export class SetupCheck {
  readonly element: HTMLElement;
  #meter = new Meter("Microphone level");
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
      { class: "checks", "aria-label": "Check your setup" },
      h("h2", {}, "Check your setup"),
      h(
        "ul",
        {},
        row(
          "mic",
          "mic",
          "Microphone",
          "",
          "Test microphone",
          () => this.#testMicrophone(),
          this.#meter.element,
        ),
        row("speaker", "speaker", "Speaker", "Plays three notes.", "Play tone", () => this.#testSpeaker()),
        row("echo", "echo", "Echo test", "Hear yourself the way others do.", "Record 3 s", () =>
          this.#testEcho(),
        ),
        row("network", "signal", "Network", "Takes about five seconds.", "Test network", () =>
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
          if (levels.speaking) say(this.#results.mic, "good", "We hear you.");
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
    say(this.#results.mic, "", "Say something and watch it move.");
    await (await this.#open()).openMicrophone(this.chosen().microphone);
    this.onAllowed();
  }

  async #testSpeaker(): Promise<void> {
    say(this.#results.speaker, "", "Playing…");
    const { playTestTone } = await import("@railgun/voice/diagnostics");
    await playTestTone(this.chosen().speaker);
    say(this.#results.speaker, "", "Did you hear it? If not, choose another speaker.");
  }

  async #testEcho(): Promise<void> {
    const output = this.#results.echo;
    await (await this.#open()).openMicrophone(this.chosen().microphone);
    const found = await (await this.#open()).echoTest(
      (phase) => say(output, "", PHASES[phase]),
      this.chosen().speaker,
    );
    this.onAllowed();
    if (found.level < -50) say(output, "poor", "Hardly anything was heard. Is this the right microphone?");
    else if (found.echo)
      say(output, "fair", "Your microphone hears your speakers. Headphones avoid an echo.");
    else if (!found.throughServer)
      say(output, "fair", "Your microphone works. The server could not take part.");
    else say(output, "good", "Clear, by way of the server, and no echo.");
  }

  async #testNetwork(): Promise<void> {
    const output = this.#results.network;
    say(output, "", "Measuring…");
    const { verdict, ...reading } = await (await this.#open()).networkTest();
    say(output, verdict.grade, verdict.text);
    if (verdict.advice[0]) output.append(h("span", { class: "advice" }, verdict.advice[0]));
    output.append(details(reading));
  }
}

function details({ rtt, packetLoss, bandwidth, udp, turn }: Omit<NetworkResult, "verdict">): HTMLElement {
  const parts = [
    `${Math.round(rtt)} ms to the server`,
    packetLoss === null ? null : `${packetLoss.toFixed(1)} % lost`,
    bandwidth === null ? null : `${(bandwidth / 1e6).toFixed(1)} Mbit/s up`,
    udp === null ? null : udp ? "UDP open" : "UDP blocked",
    turn === null ? null : turn ? "relay reachable" : "relay not reachable",
  ];
  return h("span", { class: "figures" }, parts.filter((part) => part !== null).join(" · "));
}

function result(): HTMLElement {
  return h("p", { class: "result", role: "status" });
}

function say(element: HTMLElement, grade: "" | "good" | "fair" | "poor", text: string): void {
  element.className = `result ${grade}`;
  setText(element, text);
}
