import { expect, it } from "vitest";
import { DataMessages, type DataReceived } from "../src/runtime/data-messages";
import type { Request, ServerEvent } from "../src/runtime/signaling";

const message = (sessionId: string, payload: string): ServerEvent => ({
  name: "voice:data",
  payload: { sessionId, userId: `user of ${sessionId}`, kind: "chat", payload, roomSeq: 1 },
});
function made(isEncrypted = false) {
  const [sent, heard]: [unknown[], DataReceived[]] = [[], []];
  const request = (async (name: string, payload: object) => void sent.push([name, payload])) as never as Request;
  return { data: new DataMessages(request, (it) => heard.push(it), () => isEncrypted), sent, heard };
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

it("an encrypted message is opened in the order it came, and is not told if it cannot be", async () => {
  const { data, sent, heard } = made();
  const waits: Record<string, number> = { slow: 20, quick: 0 };
  data.cipher = {
    seal: async (payload) => `sealed ${payload}`,
    open: async (payload) => {
      await new Promise((resolve) => setTimeout(resolve, waits[payload]));
      if (payload === "broken") throw new Error("no key");
      return payload === "nobody's" ? null : payload;
    },
  };
  await data.send("chat", "hello");
  expect(sent).toEqual([["voice:data", { kind: "chat", payload: "sealed hello" }]]);
  for (const payload of ["slow", "broken", "nobody's", "quick"]) data.onEvent(message("ada", payload));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(heard.map(({ payload }) => payload)).toEqual(["slow", "quick"]);
});

it("in a call that is encrypted end to end nothing is sent, or told, in clear", async () => {
  const { data, sent, heard } = made(true);
  await expect(data.send("chat", "hello")).rejects.toMatchObject({ code: "INVALID_STATE" });
  data.onEvent(message("ada", "hi"));
  expect([sent, heard]).toEqual([[], []]);
});
