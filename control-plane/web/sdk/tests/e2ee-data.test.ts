import { beforeEach, describe, expect, it } from "vitest";
import { type Message, SEALED_PAYLOAD_MAX, SealedData, packMessage, unpackMessage } from "../src/e2ee/data";
import { FrameCipher } from "../src/e2ee/frame-cipher";
import { KeyRing } from "../src/e2ee/key-ring";
import type { FromWorker, ToWorker } from "../src/e2ee/messages";

const text = (fill: string, bytes: number) => fill.repeat(bytes / new TextEncoder().encode(fill).length);
const hand: Message = { kind: "hand", to: "", payload: "up" };
const secret = (byte: number) => new Uint8Array(32).fill(byte);

/** A member with a key ring of its own, in place of the worker's. */
class Member {
  readonly ring = new KeyRing("dm-1");
  readonly cipher = new FrameCipher(this.ring, () => this.now);
  readonly data = new SealedData((message) => void this.#answer(message), () => this.session);
  now = 0;
  isDead = false;

  constructor(public session: string) {}

  install(number = 1, byte = 1): Promise<boolean> {
    return this.ring.install({ number, suite: 4, secret: secret(byte), removal: false, delayed: false }, this.now);
  }

  async #answer(message: ToWorker): Promise<void> {
    if (message.type !== "data" || this.isDead) return;
    const { ask, what, sessionId, data } = message;
    const answer = await this.cipher[what]({ sessionId, source: "data", codec: "message" }, data);
    const told: FromWorker = { type: "data", ask, data: typeof answer === "string" ? null : answer, seen: [] };
    this.data.take(told as Extract<FromWorker, { type: "data" }>);
  }
}

let [ada, ben]: [Member, Member] = [new Member("s_1"), new Member("s_2")];
beforeEach(async () => {
  [ada, ben] = [new Member("s_1"), new Member("s_2")];
  await Promise.all([ada.install(), ben.install()]);
});

describe("voice:data in an encrypted call", () => {
  it("reaches a member, and says nothing to the server: neither kind nor text, nor which of two short ones it is", async () => {
    const sealed = await Promise.all([hand, { kind: "reaction", to: "", payload: "❤️" }].map((it) => ada.data.seal(it)));
    for (const { kind, payload } of sealed) {
      expect(kind).toBe("railgun.sealed");
      expect(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))).not.toMatch(/hand|reaction|up/);
    }
    expect(sealed[0]?.payload.length).toBe(sealed[1]?.payload.length);
    expect(await ben.data.open(sealed[0]?.payload ?? "", "s_1")).toEqual(hand);
  });

  it("fits into the contract's 1 KiB at its largest, and is refused when it is larger", async () => {
    const largest = { kind: text("k", 64), to: text("t", 64), payload: text("ü", SEALED_PAYLOAD_MAX) };
    ben.session = largest.to;
    const { payload } = await ada.data.seal(largest);
    expect(payload.length).toBeLessThanOrEqual(1024);
    expect(await ben.data.open(payload, "s_1")).toEqual(largest);
    for (const over of [{ kind: text("k", 65) }, { kind: "" }, { payload: text("ü", SEALED_PAYLOAD_MAX + 2) }, { to: text("t", 65) }])
      await expect(ada.data.seal({ ...hand, ...over })).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
  });

  it("is not opened twice, altered, as somebody else's, without the key, or under another", async () => {
    const { payload } = await ada.data.seal(hand);
    const altered = `${payload.slice(0, 50)}${payload[50] === "A" ? "B" : "A"}${payload.slice(51)}`;
    expect(await ben.data.open(altered, "s_1")).toBe(null);
    expect(await ben.data.open(payload, "s_3")).toBe(null);
    expect(await ben.data.open("hand", "s_1")).toBe(null);
    expect(await ben.data.open("no base64!", "s_1")).toBe(null);
    const [without, other] = [new Member("s_4"), new Member("s_5")];
    await other.install(1, 2);
    expect(await without.data.open(payload, "s_1")).toBe(null);
    expect(await other.data.open(payload, "s_1")).toBe(null);
    expect(await ben.data.open(payload, "s_1")).toEqual(hand);
    expect(await ben.data.open(payload, "s_1")).toBe(null);
  });

  it("is told to the one it is for alone, whomever the server gives it to", async () => {
    const cleo = new Member("s_3");
    await cleo.install();
    const { payload } = await ada.data.seal({ ...hand, to: "s_3" });
    expect(await ben.data.open(payload, "s_1")).toBe(null);
    expect(await cleo.data.open(payload, "s_1")).toMatchObject({ payload: "up" });
  });

  it("is no frame, and no frame is one", async () => {
    const bytes = packMessage(hand);
    const mic = await ada.cipher.seal({ sessionId: "s_1", source: "mic", codec: "opus" }, bytes);
    const message = await ada.cipher.seal({ sessionId: "s_1", source: "data", codec: "message" }, bytes);
    const opens = (source: "mic" | "data", codec: "opus" | "message", wire: typeof mic) =>
      ben.cipher.open({ sessionId: "s_1", source, codec }, wire ?? new Uint8Array());
    expect(await opens("data", "message", mic)).toBe("forged");
    expect(await opens("mic", "opus", message)).toBe("forged");
    expect(await opens("data", "message", message)).toEqual(bytes);
  });

  it("is not sent without a key, or a second after somebody left", async () => {
    await expect(new Member("s_4").data.seal(hand)).rejects.toMatchObject({ code: "INVALID_STATE" });
    ada.ring.somebodyLeft(0);
    ada.now = 1_001;
    await expect(ada.data.seal(hand)).rejects.toMatchObject({ code: "INVALID_STATE" });
  });

  it("is not waited for when the worker is gone", async () => {
    ada.isDead = ben.isDead = true;
    const [sealing, opening] = [ada.data.seal(hand), ben.data.open("AAAA", "s_1")];
    // Both have asked.
    await Promise.resolve();
    ada.data.close();
    ben.data.close();
    await expect(sealing).rejects.toMatchObject({ code: "INVALID_STATE" });
    expect(await opening).toBe(null);
  });
});

it("a message that is laid out otherwise is none", () => {
  const packed = packMessage({ kind: "k", to: "t", payload: "p" });
  expect(unpackMessage(packed)).toEqual({ kind: "k", to: "t", payload: "p" });
  expect(packed.length % 64).toBe(0);
  const bytes = (...given: number[]) => unpackMessage(Uint8Array.from(given));
  expect(bytes()).toBe(null);
  expect(bytes(0, 0, 0)).toBe(null);
  expect(bytes(0x80)).toBe(null);
  expect(bytes(0, 0, 0x80)).toBe(null);
  expect(bytes(200, 65, 0x80)).toBe(null);
  expect(bytes(1, 65, 200, 66, 0x80)).toBe(null);
  expect(bytes(1, 0xff, 0, 0x80)).toBe(null);
  expect(bytes(1, 65, 0, 0x80)).toEqual({ kind: "A", to: "", payload: "" });
});
