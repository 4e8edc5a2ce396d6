import { describe, expect, it, vi } from "vitest";
import frames from "../../../../shared/fixtures/e2ee/frames.json";
import rfc9605 from "../../../../shared/fixtures/e2ee/rfc9605.json";
import { type Bytes, concat, equal } from "../src/e2ee/bytes";
import { Epoch } from "../src/e2ee/epoch";
import { type FrameCodec, join, metadata, split, type Stream, unwrap, wrap } from "../src/e2ee/frame";
import { FrameCipher } from "../src/e2ee/frame-cipher";
import { escape, unescape } from "../src/e2ee/h264";
import { KeyRing } from "../src/e2ee/key-ring";
import { decodeHeader, deriveKey, encodeHeader, importSecret, nonceOf, open, seal, type Suite } from "../src/e2ee/sframe";
import type { Source } from "../src/payloads";

const bytes = (hex: string): Bytes => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const hex = (of: Uint8Array) => [...of].map((byte) => byte.toString(16).padStart(2, "0")).join("");

describe("SFrame", () => {
  it("writes and reads each header of RFC 9605, appendix C.1", () => {
    for (const { kid, ctr, encoded } of rfc9605.header) {
      const wanted = { kid: BigInt(`0x${kid}`), ctr: BigInt(`0x${ctr}`) };
      expect(hex(encodeHeader(wanted.kid, wanted.ctr))).toBe(encoded);
      expect(decodeHeader(bytes(`${encoded}ff`))).toEqual({ ...wanted, length: encoded.length / 2 });
      expect(decodeHeader(bytes(encoded.slice(0, -2)))).toBe(null);
    }
  });

  it.each(rfc9605.sframe)("encrypts and opens as RFC 9605, appendix C.3, suite $cipher_suite", async (vector) => {
    const base = await importSecret(bytes(vector.base_key));
    const key = await deriveKey(vector.cipher_suite as Suite, base, BigInt(vector.kid));
    expect(hex(key.salt)).toBe(vector.sframe_salt);
    expect(hex(nonceOf(key, BigInt(vector.ctr)))).toBe(vector.nonce);
    const sealed = await seal(key, BigInt(vector.ctr), bytes(vector.metadata), bytes(vector.pt));
    expect(hex(sealed)).toBe(vector.ct);
    const header = decodeHeader(sealed);
    expect(header && hex((await open(key, header, bytes(vector.metadata), sealed)) ?? bytes(""))).toBe(vector.pt);
    expect(key.key.extractable).toBe(false);
  });
});

describe("a frame of each codec", () => {
  it.each(frames)("is as the conformance vector: $name", async (vector) => {
    const { suite, epoch, channelId, source, sessionId, codec } = vector;
    const secret = { number: epoch, suite: suite as Suite, secret: bytes(vector.epochSecret) };
    const of = await Epoch.create(secret, channelId);
    const key = await of.derived(sessionId, source as Source, BigInt(`0x${vector.kid}`));
    const stream: Stream = { sessionId, source: source as Source, codec: codec as FrameCodec };
    const plain = split(stream.codec, bytes(vector.plain));
    if (!plain) throw new Error("no frame");
    expect(hex(plain.clear)).toBe(vector.clear);
    expect(hex(metadata(stream, plain.clear))).toBe(vector.metadata);
    const sframe = await seal(key, BigInt(vector.ctr), metadata(stream, plain.clear), plain.secret);
    expect(hex(sframe)).toBe(vector.sframe);
    const wire = wrap(stream.codec, plain.clear, sframe);
    expect(hex(wire)).toBe(vector.wire);

    const parts = unwrap(stream.codec, wire);
    expect(parts && hex(parts.clear)).toBe(vector.clear);
    expect(parts && hex(parts.sframe)).toBe(vector.sframe);

    const ring = new KeyRing(channelId);
    const again = { ...secret, secret: bytes(vector.epochSecret), removal: false, delayed: false };
    await ring.install(again, 0);
    const opened = await new FrameCipher(ring, () => 0).open(stream, wire);
    expect(opened instanceof Uint8Array ? hex(opened) : opened).toBe(vector.plain);
    expect(hex(join(stream.codec, plain.clear, plain.secret))).toBe(vector.plain);
  });

  it("has no start code in H264, whatever the ciphertext", () => {
    for (const body of ["000000", "000001", "00000001", "000003", "0000030000", "00", "", "0000000000"]) {
      const escaped = escape(bytes(body));
      for (let at = 0; at + 2 < escaped.length; at += 1)
        expect(escaped[at] === 0 && escaped[at + 1] === 0 && (escaped[at + 2] ?? 9) < 3).toBe(false);
      expect(hex(unescape(escaped))).toBe(body);
    }
    for (let round = 0; round < 200; round += 1) {
      const body = crypto.getRandomValues(new Uint8Array(64)).map((byte) => byte & 3);
      expect(equal(unescape(escape(body)), body)).toBe(true);
    }
  });

  it("reads an AV1 frame as depacketisers assemble it, with sizes", async () => {
    const [vector] = frames.filter(({ name }) => name === "AV1 key frame, suite 4");
    const sframe = bytes(vector?.sframe ?? "");
    const sized = concat(bytes("0a0032"), Uint8Array.of(sframe.length), sframe);
    const parts = unwrap("av1", sized);
    expect(parts && [hex(parts.clear), hex(parts.sframe)]).toEqual([vector?.clear, vector?.sframe]);
  });

  it("reads an H264 frame whose parameter sets a browser rewrote", () => {
    const [vector] = frames.filter(({ name }) => name === "H264 key frame, suite 4");
    const wire = bytes(vector?.wire ?? "");
    const rewritten = concat(bytes("00000001674200aabbccddee"), wire.subarray(15));
    const parts = unwrap("h264", rewritten);
    expect(parts && hex(parts.sframe)).toBe(vector?.sframe);
  });
});

/** Ada's frames, and Ben who opens them. */
async function call(suite: Suite = 4) {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const clock = { now: 0 };
  const make = async (channelId = "dm-1", key = secret) => {
    const ring = new KeyRing(channelId);
    await ring.install({ number: 1, suite, secret: key.slice(), removal: false, delayed: false }, 0);
    return { ring, cipher: new FrameCipher(ring, () => clock.now) };
  };
  const stream: Stream = { sessionId: "s_ada", source: "camera", codec: "vp8" };
  const plain = concat(bytes("3042009d012a8002e001"), crypto.getRandomValues(new Uint8Array(500)));
  return { clock, make, stream, plain, ada: await make(), ben: await make(), secret };
}

async function sealed({ ada, stream, plain }: Awaited<ReturnType<typeof call>>): Promise<Bytes> {
  const wire = await ada.cipher.seal(stream, plain);
  if (!wire) throw new Error("not encrypted");
  return wire;
}

describe("what a node does to a frame", () => {
  it("is nothing, and it is opened", async () => {
    const it = await call(5);
    expect(await it.ben.cipher.open(it.stream, await sealed(it))).toEqual(it.plain);
  });

  it("alters any one byte, in the clear or not: it is forged", async () => {
    const it = await call();
    const wire = await sealed(it);
    for (let at = 0; at < wire.length; at += 1) {
      const altered = wire.slice();
      altered[at] = (altered[at] ?? 0) ^ 0x10;
      expect(await it.ben.cipher.open(it.stream, altered), `byte ${at}`).toBeTypeOf("string");
    }
    // The KIDs that were made up have used up a second's derivations.
    it.clock.now = 1_000;
    expect(await it.ben.cipher.open(it.stream, wire)).toEqual(it.plain);
  });

  it("moves it to another source, session, codec or channel: it is forged", async () => {
    const it = await call();
    const wire = await sealed(it);
    for (const other of [{ source: "screen" }, { sessionId: "s_cleo" }] as const)
      expect(await it.ben.cipher.open({ ...it.stream, ...other }, wire)).toBe("forged");
    const vp9: Stream = { ...it.stream, codec: "vp9" };
    const opaque = await it.ada.cipher.seal(vp9, it.plain);
    expect(opaque && (await it.ben.cipher.open({ ...vp9, codec: "opus" }, opaque))).toBe("forged");
    const elsewhere = await it.make("dm-2");
    expect(await elsewhere.cipher.open(it.stream, wire)).toBe("forged");
  });

  it("sends it again, at once, late, and after a thousand others: it is replayed", async () => {
    const it = await call();
    const wires = await Promise.all(Array.from({ length: 1200 }, () => sealed(it)));
    const open = (at: number) => it.ben.cipher.open(it.stream, wires[at] ?? bytes(""));
    expect(await open(0)).toEqual(it.plain);
    expect(await open(0)).toBe("replayed");
    expect(await open(1023)).toEqual(it.plain);
    expect(await open(1)).toEqual(it.plain);
    expect(await open(1)).toBe("replayed");
    expect(await open(1199)).toEqual(it.plain);
    for (const at of [0, 1, 2, 175, 1023]) expect(await open(at), String(at)).toBe("replayed");
    expect(await open(176)).toEqual(it.plain);
    expect(await open(176)).toBe("replayed");
  });

  it("mixes those of a page and of the same one after a reload: each is opened once, by its own key", async () => {
    const it = await call();
    const reloaded = await it.make();
    const wires: Bytes[] = [];
    for (let round = 0; round < 4; round += 1) wires.push(await sealed(it), await sealed({ ...it, ada: reloaded }));
    for (const wire of wires) expect(await it.ben.cipher.open(it.stream, wire)).toEqual(it.plain);
    for (const wire of wires) expect(await it.ben.cipher.open(it.stream, wire)).toBe("replayed");
  });

  it("sends one twice at the same moment: it is opened once", async () => {
    const it = await call();
    const wire = await sealed(it);
    const both = await Promise.all([1, 2, 3].map(() => it.ben.cipher.open(it.stream, wire)));
    expect(both.filter((opened) => opened instanceof Uint8Array)).toHaveLength(1);
  });

  it("sends silence or a picture of its own: nothing is opened", async () => {
    const it = await call();
    const opus: Stream = { sessionId: "s_ada", source: "mic", codec: "opus" };
    for (const body of ["f8fffe", "", "00", "e0"]) expect(await it.ben.cipher.open(opus, bytes(body))).toBe("malformed");
    expect(await it.ben.cipher.open(it.stream, it.plain)).toBeTypeOf("string");
  });

  it("encrypts with a key of its own, under many made-up key ids: 8 derivations a second", async () => {
    const it = await call();
    const real = await sealed(it);
    const derived = vi.spyOn(Epoch.prototype, "derived");
    for (let tried = 0; tried < 40; tried += 1) {
      const fresh = new FrameCipher((await it.make("dm-1", crypto.getRandomValues(new Uint8Array(32)))).ring, () => 0);
      const made = await fresh.seal(it.stream, it.plain);
      expect(made && (await it.ben.cipher.open(it.stream, made))).toBe("forged");
    }
    expect(derived.mock.calls.length).toBe(8);
    derived.mockRestore();
    it.clock.now = 1_000;
    expect(await it.ben.cipher.open(it.stream, real)).toEqual(it.plain);
  });
});

describe("a counter", () => {
  it("is never used twice under a key, by several layers, after a rejoin, and by a page that was reloaded", async () => {
    const it = await call();
    const reloaded = await it.make();
    const seen = new Set<string>();
    const ciphers = [it.ada.cipher, it.ada.cipher, reloaded.cipher];
    const streams: Stream[] = [it.stream, it.stream, { ...it.stream, source: "screen" }, { ...it.stream, sessionId: "s_2" }];
    for (let round = 0; round < 50; round += 1) {
      const all = ciphers.flatMap((cipher) => streams.map((stream) => cipher.seal(stream, it.plain)));
      for (const wire of await Promise.all(all)) {
        const header = decodeHeader((wire ?? bytes("")).subarray(10));
        seen.add(`${header?.kid} ${header?.ctr}`);
        expect(String(header?.kid.toString(16)).padStart(14, "0")).toMatch(/^01/);
      }
    }
    expect(seen.size).toBe(50 * ciphers.length * streams.length);
  });
});

describe("a frame that cannot be encrypted", () => {
  it("is not sent: without a key, of no bytes, or of another layout", async () => {
    const it = await call();
    const without = new FrameCipher(new KeyRing("dm-1"), () => 0);
    expect(await without.seal(it.stream, it.plain)).toBe(null);
    for (const codec of ["vp8", "h264", "av1"] as const)
      for (const body of ["", "00", "000001", "12"])
        expect(await it.ada.cipher.seal({ ...it.stream, codec }, bytes(body)), `${codec} ${body}`).toBe(null);
  });
});
