import { describe, expect, it } from "vitest";
import { VoiceError } from "../src/errors";
import { type DataCipher, DataMessages, type DataReceived } from "../src/runtime/data-messages";
import type { Request, ServerEvent } from "../src/runtime/signaling";

const message = (sessionId: string, payload: string): ServerEvent => ({
  name: "voice:data",
  payload: { sessionId, userId: `user of ${sessionId}`, kind: "chat", payload, roomSeq: 1 },
});
function made(cipher: () => DataCipher | null = () => null) {
  const [sent, heard]: [unknown[], DataReceived[]] = [[], []];
  const request = (async (name: string, payload: object) => void sent.push([name, payload])) as never as Request;
  return { data: new DataMessages(request, (it) => heard.push(it), cipher), sent, heard };
}

it("a message goes to everybody or to one, and the server says whose one that comes is", async () => {
  const { data, sent, heard } = made();
  await data.send("chat", "hello");
  await data.send("chat", "psst", "ada");
  expect(sent).toEqual([
    ["voice:data", { kind: "chat", payload: "hello" }],
    ["voice:data", { kind: "chat", payload: "psst", to: "ada" }],
  ]);
  data.onEvent(message("ada", "hi"));
  expect(heard).toEqual([{ sessionId: "ada", userId: "user of ada", kind: "chat", payload: "hi" }]);
});

describe("in a call that is encrypted end to end", () => {
  const waits: Record<string, number> = { slow: 20, quick: 0 };
  const cipher: DataCipher = {
    seal: async ({ kind, payload, to }) => ({ kind: "sealed", payload: `sealed ${kind} ${payload} for ${to || "all"}` }),
    open: async (payload) => {
      await new Promise((resolve) => setTimeout(resolve, waits[payload]));
      if (payload === "broken") throw new Error("no key");
      return payload === "nobody's" ? null : { kind: "hand", payload };
    },
  };
  const opened = () => new Promise((resolve) => setTimeout(resolve, 60));

  it("a message is opened in the order it came, and is not told if it cannot be", async () => {
    const { data, sent, heard } = made(() => cipher);
    await data.send("chat", "hello");
    await data.send("chat", "hello", "ada");
    expect(sent).toEqual([
      ["voice:data", { kind: "sealed", payload: "sealed chat hello for all" }],
      ["voice:data", { kind: "sealed", payload: "sealed chat hello for ada", to: "ada" }],
    ]);
    for (const payload of ["slow", "broken", "nobody's", "quick"]) data.onEvent(message("ada", payload));
    await opened();
    expect(heard.map(({ kind, payload }) => [kind, payload])).toEqual([["hand", "slow"], ["hand", "quick"]]);
  });

  it("nothing is sent that cannot be sealed", async () => {
    const { data, sent } = made(() => ({ ...cipher, seal: () => Promise.reject(new VoiceError("INVALID_STATE", "no key")) }));
    await expect(data.send("chat", "hello")).rejects.toMatchObject({ code: "INVALID_STATE" });
    expect(sent).toEqual([]);
  });

  it("what is opened after the call is not told, in the next one either", async () => {
    let current: DataCipher | null = cipher;
    const { data, heard } = made(() => current);
    data.onEvent(message("ada", "slow"));
    current = { ...cipher };
    await opened();
    expect(heard).toEqual([]);
  });

  it("a server that floods is not followed beyond a thousand messages that wait", async () => {
    let asked = 0;
    const { data } = made(() => ({ ...cipher, open: () => ((asked += 1), new Promise(() => undefined)) }));
    for (let count = 0; count < 3_000; count += 1) data.onEvent(message("ada", "quick"));
    await opened();
    expect(asked).toBe(1);
    expect(data.waiting).toBe(1_000);
  });
});
