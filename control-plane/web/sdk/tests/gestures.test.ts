import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { Gestures } from "../src/gestures";
import type { VoiceService } from "../src/voice-service";

let sent: string[];
let refuse: VoiceError | null;
let handlers: Record<string, (event: unknown) => void>;
let snapshot: { state: string; sessionId: string | null; participants: { sessionId: string }[] };
let gestures: Gestures;
let reactions: unknown[];

const people = (...names: string[]) => names.map((sessionId) => ({ sessionId }));
const become = (change: Partial<typeof snapshot>) => handlers["change"]?.((snapshot = { ...snapshot, ...change }));
const hears = (sessionId: string, kind: string, payload: string) =>
  handlers["data"]?.({ sessionId, userId: sessionId, kind, payload });

beforeEach(() => {
  vi.useFakeTimers();
  [sent, refuse, handlers, reactions] = [[], null, {}, []];
  snapshot = { state: "READY", sessionId: "me", participants: people("ada") };
  const voice = {
    get snapshot() {
      return snapshot;
    },
    on: (name: string, handler: (event: unknown) => void) => ((handlers[name] = handler), () => delete handlers[name]),
    sendData: async (kind: string, payload: string, { to }: { to?: string } = {}) => {
      if (refuse) throw refuse;
      sent.push([kind, payload, to].filter(Boolean).join(" "));
    },
  };
  gestures = new Gestures(voice as never as VoiceService);
  gestures.on("reaction", (reaction) => reactions.push(reaction));
});
afterEach(() => void vi.useRealTimers());

it("a raised hand is told to everybody, and to whoever comes later, until it goes down", async () => {
  await gestures.setHand(true);
  become({ participants: people("ada", "ben") });
  await gestures.setHand(false);
  become({ participants: people("ada", "ben", "eve") });
  expect(sent).toEqual(["hand up", "hand up ben", "hand down"]);
});

it("a raised hand is told anew after a rejoin, and told again to whom the rate kept it from", async () => {
  await gestures.setHand(true);
  become({ state: "REJOINING", participants: [] });
  refuse = new VoiceError("RATE_LIMITED", "slower", { retryAfterMs: 1_500 });
  become({ state: "READY", sessionId: "again", participants: people("ada") });
  await vi.advanceTimersByTimeAsync(1_499);
  refuse = null;
  expect(sent).toEqual(["hand up"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toEqual(["hand up", "hand up ada"]);
});

it("a hand that could not be raised is down", async () => {
  refuse = new VoiceError("UNREACHABLE", "away");
  await expect(gestures.setHand(true)).rejects.toThrow();
  expect(gestures.handRaised).toBe(false);
});

it("others' hands are up until they say otherwise, leave, or the call ends", () => {
  become({ participants: people("ada", "ben", "eve") });
  for (const name of ["eve", "ada", "ben"]) hears(name, "hand", "up");
  expect([...gestures.hands]).toEqual(["eve", "ada", "ben"]);
  hears("ada", "hand", "down");
  become({ participants: people("ada", "ben") });
  expect([...gestures.hands]).toEqual(["ben"]);
  become({ state: "DISCONNECTED", sessionId: null, participants: [] });
  expect(gestures.hands.size).toBe(0);
});

it("reactions are of six kinds, four a second, and nothing else that others send is one", async () => {
  const answers = [];
  for (let count = 0; count < 5; count += 1) answers.push(await gestures.react("🎉"));
  expect(answers).toEqual([true, true, true, true, false]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await gestures.react("👍")).toBe(true);
  expect(sent).toHaveLength(5);
  reactions.length = 0;
  for (const payload of ["👍", "<b>", "constructor", ""]) hears("ada", "reaction", payload);
  hears("ada", "application", "👍");
  expect(reactions).toEqual([{ sessionId: "ada", emoji: "👍" }]);
});
