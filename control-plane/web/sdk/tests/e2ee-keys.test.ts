import { describe, expect, it } from "vitest";
import invites from "../../../../shared/fixtures/e2ee/invites.json";
import type { Bytes } from "../src/e2ee/bytes";
import { epochId } from "../src/e2ee/epoch";
import type { Stream } from "../src/e2ee/frame";
import { FrameCipher } from "../src/e2ee/frame-cipher";
import { freshInvite, readInvite, writeInvite } from "../src/e2ee/invite";
import { KeyRing } from "../src/e2ee/key-ring";
import type { Suite } from "../src/e2ee/sframe";
import { VoiceError } from "../src/errors";

const hex = (of: Uint8Array) => [...of].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const stream: Stream = { sessionId: "s_ada", source: "mic", codec: "opus" };
const sound: Bytes = Uint8Array.of(1, 2, 3);

/** A member with the epochs of the call that it was given. */
function member() {
  const ring = new KeyRing("dm-1");
  const clock = { now: 0 };
  const cipher = new FrameCipher(ring, () => clock.now);
  const install = (number: number, seed: number, { removal = false, delayed = false, held = false } = {}) =>
    ring.install({ number, suite: 4, secret: new Uint8Array(32).fill(seed), removal, delayed, held }, clock.now);
  /** What the other makes of a frame of this one's; null: none is sent. */
  const says = async (other: { cipher: FrameCipher }) => {
    const wire = await cipher.seal(stream, sound);
    const opened = wire && (await other.cipher.open(stream, wire));
    return opened instanceof Uint8Array ? "opened" : opened;
  };
  return { ring, clock, cipher, install, says };
}

describe("an epoch", () => {
  it.each([
    ["an addition", false, 10_000],
    ["a removal", true, 1_000],
  ])("is accepted after %s for as long as the design says, and then erased", async (_, removal, ms) => {
    const [ada, ben] = [member(), member()];
    for (const one of [ada, ben]) await one.install(1, 1);
    const late = await Promise.all([1, 2, 3].map(() => ada.cipher.seal(stream, sound)));
    const open = async (at: number) => ben.cipher.open(stream, late[at] ?? sound);
    expect(await open(0)).toEqual(sound);
    await ben.install(2, 2, { removal });
    ben.clock.now = ms - 1;
    expect(await open(1)).toEqual(sound);
    ben.clock.now = ms;
    expect(await open(2)).toBe("noKey");
    expect(ben.ring.sweep(ms)).toBe(Infinity);
    // Nor is it taken back.
    expect(await ben.install(1, 1)).toBe(false);
    expect(await open(2)).toBe("noKey");
  });

  it("is accepted and not sent with while somebody in it may not be there, also when those before end", async () => {
    const [ada, ben] = [member(), member()];
    for (const one of [ada, ben]) await one.install(1, 1);
    await ada.install(2, 2, { held: true });
    await ben.install(2, 2);
    expect([await ada.says(ben), await ben.says(ada)]).toEqual(["opened", "opened"]);
    expect(ada.ring.sending(0)?.number).toBe(1);
    await ada.install(2, 2);
    expect([await ada.says(ben), ada.ring.sending(0)?.number]).toEqual(["opened", 2]);
    // Nothing is sent rather than that.
    await ada.install(3, 3, { held: true });
    ada.ring.somebodyLeft(0);
    ada.clock.now = 1_000;
    expect(await ada.says(ben)).toBe(null);
  });

  it("is sent with by who made it once the others had time to be given it, and by them at once", async () => {
    const [ada, ben] = [member(), member()];
    for (const one of [ada, ben]) await one.install(1, 1);
    await ada.install(2, 2, { removal: true, delayed: true });
    expect(await ada.says(ben)).toBe("opened");
    ada.clock.now = 700;
    expect(await ada.says(ben)).toBe("noKey");
    await ben.install(2, 2, { removal: true });
    expect(await ada.says(ben)).toBe("opened");
    expect(await ben.says(ada)).toBe("opened");
  });

  it("is not sent with a second after somebody left, with or without another", async () => {
    const [ada, gone] = [member(), member()];
    for (const one of [ada, gone]) await one.install(1, 1);
    ada.ring.somebodyLeft(0);
    ada.clock.now = 999;
    expect(await ada.says(gone)).toBe("opened");
    ada.clock.now = 1_000;
    expect(await ada.says(gone)).toBe(null);
    await ada.install(2, 2, { removal: true });
    expect(await ada.says(gone)).toBe("noKey");
  });

  it("is not sent with by a frame that was being encrypted when the second was over", async () => {
    const ada = member();
    await ada.install(1, 1);
    ada.ring.somebodyLeft(0);
    ada.clock.now = 999;
    const sealing = ada.cipher.seal(stream, sound);
    ada.clock.now = 1_000;
    expect(await sealing).toBe(null);
  });

  it("is over with the stay, also for a stream that was opened under it", async () => {
    const [ada, ben] = [member(), member()];
    for (const one of [ada, ben]) await one.install(1, 1);
    expect(await ada.says(ben)).toBe("opened");
    ben.ring.reset();
    expect(await ada.says(ben)).toBe("noKey");
  });

  it("opens nothing of the epoch before for who came later", async () => {
    const [ada, late] = [member(), member()];
    await ada.install(1, 1);
    await late.install(2, 2);
    expect(await ada.says(late)).toBe("noKey");
  });

  it("that two made at once is sent with by both as one, and both are opened", async () => {
    const [ada, ben] = [member(), member()];
    await ada.install(2, 10);
    await ben.install(2, 20);
    expect(await ada.says(ben)).toBe("forged");
    await ada.install(2, 20);
    await ben.install(2, 10);
    expect(ada.ring.newest?.code).toBe(ben.ring.newest?.code);
    // A second later: a stream may try a few unknown keys a second.
    ada.clock.now = ben.clock.now = 1_000;
    expect(await ada.says(ben)).toBe("opened");
    expect(await ben.says(ada)).toBe("opened");
  });

  it("has a number that its key ids tell, never 0, and 255 epochs later the same", () => {
    expect([1, 2, 255, 256, 257].map(epochId)).toEqual([1, 2, 255, 1, 2]);
  });
});

describe("an invite", () => {
  it.each(invites)("is read and written as the conformance vector for $channelId", async (vector) => {
    const invite = await readInvite(vector.channelId, vector.text);
    const { epoch: number, suite, removal } = vector;
    expect({ ...invite, secret: hex(invite.secret) }).toEqual({ number, suite, removal, secret: vector.epochSecret });
    expect(await writeInvite(vector.channelId, invite)).toBe(vector.text);
    const ring = new KeyRing(vector.channelId);
    await ring.install({ ...invite, suite: suite as Suite, delayed: false }, 0);
    expect(ring.newest?.code).toBe(vector.code);
    expect(hex(invite.secret)).toBe("00".repeat(32));
  });

  it("is refused: of another channel, version, suite or length, or none at all", async () => {
    const good = await writeInvite("dm-1", freshInvite());
    const change = (at: number, byte: number) => {
      const bytes = Uint8Array.from(atob(good.slice(5).replaceAll("-", "+").replaceAll("_", "/")), (it) => it.charCodeAt(0));
      bytes[at] = byte;
      return `rgi1.${btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
    };
    await expect(readInvite("dm-2", good)).rejects.toThrow("another channel");
    const bad = [change(0, 2), change(1, 2), change(3, 1), change(7, 0), `${good}AA`, good.slice(0, -4), "", "rgi1.", "rgi1.%%"];
    for (const text of bad) await expect(readInvite("dm-1", text), text).rejects.toBeInstanceOf(VoiceError);
  });

  it("has a fresh key each time", async () => {
    expect(hex(freshInvite().secret)).not.toBe(hex(freshInvite().secret));
  });
});
