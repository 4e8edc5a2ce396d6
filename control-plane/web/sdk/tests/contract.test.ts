import { describe, expect, it } from "vitest";
import document from "../docs/state-machine.md?raw";
import { RETRIES, TIMEOUTS, waitBefore } from "../src/contract";
import {
  next,
  type Sent,
  STATE_OF_SENT,
  STATES,
  StateMachine,
  TRANSITIONS,
  type VoiceState,
  type VoiceStateEvent,
} from "../src/state-machine";
import { SECONDS, STEPS, WAITS } from "./contract-table";

/** The rows of the table under a heading, without its first two lines. */
function table(heading: string): string[][] {
  const section = document.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What the code calls the contract's events, and what is sent after them. */
const EVENTS: Record<string, [VoiceStateEvent, Sent?]> = {
  "the user joins": ["join"],
  "voice:joined comes": ["joined"],
  "the join fails or is not answered": ["failed"],
  "the capabilities come": ["capabilities"],
  "they do not": ["failed"],
  "both transports exist": ["transportsCreated"],
  "a microphone is produced": ["sourcesChanged", "mic"],
  "a camera is produced": ["sourcesChanged", "camera"],
  "a screen is produced": ["sourcesChanged", "screen"],
  "the socket is lost": ["socketLost", "mic"],
  "voice:resumed comes, and nothing is sent": ["resumed", "nothing"],
  "voice:resumed comes, and a microphone is sent": ["resumed", "mic"],
  "RESUME_FAILED comes": ["resumeFailed"],
  "the last try fails": ["failed"],
  "voice:rejoin comes": ["rejoin", "mic"],
  "its delay is over": ["join"],
  "the user leaves": ["leave"],
  "a fatal refusal comes": ["ended"],
  "everything is cleaned up": ["left"],
};
const LEFT_AFTER_CLOSING: Record<string, Sent> = {
  READY: "nothing",
  PRODUCING_AUDIO: "mic",
  PRODUCING_AUDIO_VIDEO: "camera",
};

describe("the client is the contract's, section 6", () => {
  it.each(STEPS)("%s: %s → %s", (from, what, to) => {
    const [event, sent = "nothing"] =
      what === "it is closed" ? (["sourcesChanged", LEFT_AFTER_CLOSING[to]] as const) : (EVENTS[what] ?? []);
    if (!event) throw new Error(`nothing is called "${what}"`);
    const inCall = STATES.filter((it) => it !== "DISCONNECTED" && it !== "LEAVING");
    const states: Record<string, readonly VoiceState[]> = {
      any: inCall,
      producing: inCall.filter((it) => it.startsWith("PRODUCING")),
    };
    for (const state of states[from] ?? [from as VoiceState]) {
      expect(next(state, event, sent), state).toBe(to);
    }
  });

  it("has every state of it, and no other", () => {
    const named = new Set(STEPS.flatMap(([from, , to]) => [from, to]));
    named.delete("any");
    named.delete("producing");
    expect([...named].sort()).toEqual([...STATES].sort());
  });

  it("waits as long as it says", () => {
    const code = Object.values(TIMEOUTS).map((ms) => ms / 1000);
    expect(code).toEqual(Object.values(SECONDS));
  });

  it("tries again as often and after as long as it says", () => {
    const code = Object.values(RETRIES).map((waits) => waits.map((ms) => ms / 1000));
    expect(code).toEqual(Object.values(WAITS));
  });
});

describe("the data is the document's, row by row", () => {
  it("transitions", () => {
    expect(TRANSITIONS.map(({ from, event, to }) => [from, event, to])).toEqual(table("Transitions"));
  });

  it("states by what is sent", () => {
    expect(Object.entries(STATE_OF_SENT)).toEqual(table("States by what is sent"));
  });

  it("timeouts", () => {
    expect(Object.entries(TIMEOUTS).map(([name, ms]) => [name, String(ms)])).toEqual(table("Timeouts"));
  });

  it("retries", () => {
    const rows = Object.entries(RETRIES).map(([name, waits]) => [
      name,
      String(waits.length),
      waits.join(", "),
    ]);
    expect(rows).toEqual(table("Retries"));
  });
});

describe("the state machine", () => {
  it("goes through a call", () => {
    const seen: VoiceState[] = [];
    const machine = new StateMachine((state) => seen.push(state));
    const steps = [
      ["join", "nothing"],
      ["joined", "nothing"],
      ["capabilities", "nothing"],
      ["transportsCreated", "nothing"],
      ["sourcesChanged", "mic"],
      ["sourcesChanged", "camera"],
      ["sourcesChanged", "screen"],
      ["sourcesChanged", "camera"],
      ["socketLost", "camera"],
      ["resumed", "camera"],
      ["rejoin", "camera"],
      ["join", "nothing"],
      ["leave", "nothing"],
      ["left", "nothing"],
    ] as const;
    for (const [event, sent] of steps) expect(machine.apply(event, sent), event).toBe(true);
    expect(seen).toEqual([
      "JOINING",
      "FETCHING_RTP_CAPS",
      "CREATING_TRANSPORTS",
      "READY",
      "PRODUCING_AUDIO",
      "PRODUCING_AUDIO_VIDEO",
      "PRODUCING_AUDIO_VIDEO_SCREEN",
      "PRODUCING_AUDIO_VIDEO",
      "RESUMING",
      "PRODUCING_AUDIO_VIDEO",
      "REJOINING",
      "JOINING",
      "LEAVING",
      "DISCONNECTED",
    ]);
  });

  it("refuses what is not in the table and stays where it is", () => {
    const machine = new StateMachine();
    for (const event of ["joined", "left", "leave", "ended", "rejoin", "resumed"] as const) {
      expect(machine.apply(event), event).toBe(false);
    }
    expect(machine.state).toBe("DISCONNECTED");
  });

  it("can be left, and can end, from everywhere in a call", () => {
    for (const state of STATES.filter((it) => it !== "DISCONNECTED" && it !== "LEAVING")) {
      expect(next(state, "leave", "mic"), state).toBe("LEAVING");
      expect(next(state, "ended", "mic"), state).toBe("DISCONNECTED");
    }
  });
});

describe("waits", () => {
  it("last as long as the server asks, and end after the last try", () => {
    expect([1, 2, 3, 4].map((tried) => waitBefore("join", tried))).toEqual([1_000, 2_000, 4_000, null]);
    expect(waitBefore("join", 1, 4_200)).toBe(4_200);
    expect(waitBefore("join", 3, 100)).toBe(4_000);
    expect(waitBefore("produce", 1)).toBeNull();
  });

  it("of the socket fit its time, the tries included", () => {
    expect(RETRIES.socket.reduce((sum, wait) => sum + wait, 0)).toBeLessThan(TIMEOUTS.socket);
  });
});
