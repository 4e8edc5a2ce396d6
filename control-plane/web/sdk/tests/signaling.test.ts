import { beforeEach, expect, it, vi } from "vitest";
import { Signaling } from "../src/runtime/signaling";

/** What stands in for a socket of socket.io-client. */
class FakeSocket {
  connected = true;
  ack: ((error: Error | null, reply: unknown) => void) | undefined;
  tell: (name: string, payload: unknown) => void = () => undefined;

  onAny(handler: (name: string, payload: unknown) => void) {
    this.tell = handler;
  }
  on() {}
  once(name: string, handler: () => void) {
    if (name === "connect") queueMicrotask(handler);
  }
  timeout() {
    return this;
  }
  emit(_name: string, _payload: unknown, ack: FakeSocket["ack"]) {
    this.ack = ack;
  }
}

let socket: FakeSocket;
vi.mock("socket.io-client", () => ({ io: () => socket }));
beforeEach(() => void (socket = new FakeSocket()));

const connect = () => Signaling.connect({ url: undefined, token: "", deviceId: "test", resume: "first" });
const refusal = (code: string, fatal: boolean) => ({ code, error: "no", details: {}, fatal, event: "resume" });

it("takes RESUME_FAILED for the end of the session", async () => {
  const signaling = await connect();
  socket.tell("voice:error", refusal("RESUME_FAILED", false));
  expect(await signaling.resumed()).toBeNull();
});

it("fails with any other refusal of a resume, fatal where the server says so", async () => {
  for (const fatal of [true, false]) {
    const signaling = await connect();
    socket.tell("voice:error", refusal("INTERNAL", fatal));
    await expect(signaling.resumed()).rejects.toMatchObject({ code: "INTERNAL", fatal });
  }
});

it("hands on whether a refusal is fatal", async () => {
  const signaling = await connect();
  for (const fatal of [true, false]) {
    const asked = signaling.request("voice:ping", { sentAt: 0 });
    socket.ack?.(null, { ok: false, ...refusal("INTERNAL", fatal) });
    await expect(asked).rejects.toMatchObject({ code: "INTERNAL", fatal });
  }
});
