/** What was opened once is not opened again by a page that was reloaded, in the same epoch (replay, `voice:data`). */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Encryption } from "../src/e2ee/encryption";
import { freshInvite, type Invite, writeInvite } from "../src/e2ee/invite";
import { marksOf, SeenFrames } from "../src/e2ee/seen-frames";
import { OwnWorker, stubTransforms } from "./e2ee-clients";

const CHANNEL = "dm-1";
const SOUND = Uint8Array.of(1, 2, 3);

let stored: Record<string, string>;
let pages: Encryption[];

beforeAll(stubTransforms);
beforeEach(() => {
  stored = {};
  pages = [];
  vi.stubGlobal("localStorage", { getItem: (key: string) => stored[key] ?? null, setItem: (key: string, value: string) => void (stored[key] = value) });
});
afterEach(() => {
  for (const page of pages) page.close();
  vi.unstubAllGlobals();
});

async function page(own: string, invite: Invite) {
  const nothing = () => undefined;
  const handlers = { changed: nothing, inviteNeeded: nothing, inviteCreated: nothing, failed: nothing, send: async () => undefined };
  const encryption = new Encryption(CHANNEL, { rotate: false }, handlers, (await OwnWorker.start()) as unknown as Worker);
  pages.push(encryption);
  await encryption.use(await writeInvite(CHANNEL, invite));
  encryption.enter({ sessionId: own, isDm: true, token: "" }, [{ sessionId: own === "s_1" ? "s_2" : "s_1", userId: "other" }]);
  const streams = new Map<string, { through(data: Uint8Array, mimeType: string): Promise<Uint8Array | null> }>();
  const through = (data: Uint8Array, direction: "send" | "receive") => {
    const peer = {} as RTCRtpSender & RTCRtpReceiver;
    if (!streams.has(direction)) {
      if (direction === "send") encryption.seal(peer, "mic");
      else encryption.open(peer, { sessionId: "s_1", source: "mic" }, "audio/opus");
      streams.set(direction, peer.transform as unknown as { through(data: Uint8Array, mimeType: string): Promise<Uint8Array | null> });
    }
    return streams.get(direction)?.through(data, "audio/opus");
  };
  return { encryption, through, says: (payload: string) => encryption.data.seal({ kind: "chat", payload, to: "" }) };
}

describe("a page that was reloaded", () => {
  it("opens no small message and no frame again that was opened before, and those that follow", async () => {
    const invite = freshInvite();
    const ada = await page("s_1", invite);
    const [first, second] = [await ada.says("one"), await ada.says("two")];
    const frames = [await ada.through(SOUND, "send"), await ada.through(SOUND, "send"), await ada.through(SOUND, "send")];
    const ben = await page("s_2", invite);
    const opened = async (by: typeof ben, { payload }: { payload: string }) => (await by.encryption.data.open(payload, "s_1"))?.payload ?? null;
    expect([await opened(ben, first), await opened(ben, first)]).toEqual(["one", null]);
    for (const frame of frames.slice(0, 2)) expect(await ben.through(frame ?? SOUND, "receive")).toEqual(SOUND);
    // By the worker's next report.
    await vi.waitFor(() => {
      ben.encryption.close();
      expect(JSON.stringify(stored)).toContain("mic s_1");
    });

    const again = await page("s_2", invite);
    expect(await opened(again, first)).toBe(null);
    expect(await again.through(frames[0] ?? SOUND, "receive")).toBe(null);
    expect(await again.through(frames[1] ?? SOUND, "receive")).toBe(null);
    expect([await opened(again, second), await again.through(frames[2] ?? SOUND, "receive")]).toEqual(["two", SOUND]);
  });

  it("writes a small message down before it is told", async () => {
    const invite = freshInvite();
    const [ada, ben] = [await page("s_1", invite), await page("s_2", invite)];
    const { payload } = await ada.says("one");
    await ben.encryption.data.open(payload, "s_1");
    const again = await page("s_2", invite);
    expect(await again.encryption.data.open(payload, "s_1")).toBe(null);
  });
});

describe("what was opened", () => {
  it("is kept of the newest channels, epochs and streams, and by nobody who stores nothing or garbage", () => {
    const kept = { getItem: (key: string) => stored[key] ?? null, setItem: (key: string, value: string) => void (stored[key] = value) };
    for (let channel = 0; channel < 30; channel += 1) {
      const seen = new SeenFrames(`dm-${channel}`, kept);
      for (let epoch = 0; epoch < 9; epoch += 1) seen.note([[`${epoch} code`, "k mic s_1", "5"]], true);
      seen.close();
    }
    expect(new SeenFrames("dm-9", kept).before).toEqual([]);
    expect(new SeenFrames("dm-10", kept).before.map(([tag]) => tag)).toEqual(["5 code", "6 code", "7 code", "8 code"]);
    for (const broken of ["{]", "[]", '{"dm-1":5}', '{"dm-1":{"1 code":[]}}'])
      expect(new SeenFrames("dm-1", { ...kept, getItem: () => broken }).before).toEqual([]);
    expect(new SeenFrames("dm-1", null).before).toEqual([]);
    expect(marksOf([["1 code", "k", "x"], ["1 code", "l", "7"]]).get("1 code")).toEqual(new Map([["l", 7n]]));
  });
});
