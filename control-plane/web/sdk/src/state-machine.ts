/** Where the client is in a call. Sending nothing, it never leaves the states by itself: events move it. */

export const STATES = [
  "DISCONNECTED",
  "JOINING",
  "FETCHING_RTP_CAPS",
  "CREATING_TRANSPORTS",
  "READY",
  "PRODUCING_AUDIO",
  "PRODUCING_AUDIO_VIDEO",
  "PRODUCING_AUDIO_VIDEO_SCREEN",
  "RESUMING",
  "REJOINING",
  "LEAVING",
] as const;
export type VoiceState = (typeof STATES)[number];

export type VoiceStateEvent =
  | "join"
  | "joined"
  | "capabilities"
  | "transportsCreated"
  | "sourcesChanged"
  | "socketLost"
  | "resumed"
  | "resumeFailed"
  | "rejoin"
  | "leave"
  | "left"
  | "ended"
  | "failed";

export type Sent = "nothing" | "mic" | "camera" | "screen";

/** The state for the most that is sent. */
export const STATE_OF_SENT: Readonly<Record<Sent, VoiceState>> = {
  nothing: "READY",
  mic: "PRODUCING_AUDIO",
  camera: "PRODUCING_AUDIO_VIDEO",
  screen: "PRODUCING_AUDIO_VIDEO_SCREEN",
};

type Pattern = VoiceState | "PRODUCING_*" | "Any";

export interface Transition {
  from: Pattern;
  event: VoiceStateEvent;
  to: VoiceState | "PRODUCING_*";
}

const row = (from: Pattern, event: VoiceStateEvent, to: Transition["to"]): Transition => ({
  from,
  event,
  to,
});

/** The first row that fits is taken; an event that fits none is not valid in that state. */
export const TRANSITIONS: readonly Transition[] = [
  row("DISCONNECTED", "join", "JOINING"),
  row("JOINING", "joined", "FETCHING_RTP_CAPS"),
  row("JOINING", "failed", "DISCONNECTED"),
  row("FETCHING_RTP_CAPS", "capabilities", "CREATING_TRANSPORTS"),
  row("FETCHING_RTP_CAPS", "failed", "DISCONNECTED"),
  row("CREATING_TRANSPORTS", "transportsCreated", "READY"),
  row("CREATING_TRANSPORTS", "failed", "DISCONNECTED"),
  row("READY", "sourcesChanged", "PRODUCING_*"),
  row("PRODUCING_*", "sourcesChanged", "PRODUCING_*"),
  row("READY", "socketLost", "RESUMING"),
  row("PRODUCING_*", "socketLost", "RESUMING"),
  row("RESUMING", "resumed", "PRODUCING_*"),
  row("RESUMING", "resumeFailed", "JOINING"),
  row("RESUMING", "failed", "DISCONNECTED"),
  row("READY", "rejoin", "REJOINING"),
  row("PRODUCING_*", "rejoin", "REJOINING"),
  row("RESUMING", "rejoin", "REJOINING"),
  row("REJOINING", "join", "JOINING"),
  row("REJOINING", "failed", "DISCONNECTED"),
  row("Any", "leave", "LEAVING"),
  row("Any", "ended", "DISCONNECTED"),
  row("LEAVING", "left", "DISCONNECTED"),
];

/** The state after `event`, or null where the event is not valid. */
export function next(state: VoiceState, event: VoiceStateEvent, sent: Sent): VoiceState | null {
  const transition = TRANSITIONS.find((it) => it.event === event && fits(it.from, state));
  if (!transition) return null;
  return transition.to === "PRODUCING_*" ? STATE_OF_SENT[sent] : transition.to;
}

function fits(pattern: Pattern, state: VoiceState): boolean {
  if (pattern === "Any") return state !== "DISCONNECTED" && state !== "LEAVING";
  if (pattern === "PRODUCING_*") return state.startsWith("PRODUCING_");
  return pattern === state;
}

/** Media flows, or may flow at once. */
export function isInCall(state: VoiceState): boolean {
  return state === "READY" || state === "RESUMING" || state.startsWith("PRODUCING_");
}

/** Holds the state and tells of every change. An event that is not valid changes nothing. */
export class StateMachine {
  #state: VoiceState = "DISCONNECTED";

  constructor(private readonly onChange: (state: VoiceState, before: VoiceState) => void = () => undefined) {}

  get state(): VoiceState {
    return this.#state;
  }

  /** Whether the event was valid. */
  apply(event: VoiceStateEvent, sent: Sent = "nothing"): boolean {
    const state = next(this.#state, event, sent);
    if (state === null) return false;
    const before = this.#state;
    this.#state = state;
    if (state !== before) this.onChange(state, before);
    return true;
  }
}
