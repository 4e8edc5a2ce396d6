import { describe, expect, it } from "vitest";
import document from "../docs/state-machine.md?raw";
import { RETRIES, TIMEOUTS, waitBefore } from "../src/contract";
import {
  next,
  STATE_OF_SENT,
  STATES,
  StateMachine,
  TRANSITIONS,
  type VoiceState,
} from "../src/state-machine";

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
