import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Encryption } from "../src/e2ee/encryption";
import { freshInvite, readInvite, writeInvite } from "../src/e2ee/invite";
import type { FromWorker, StreamReport, ToWorker } from "../src/e2ee/messages";
import { EncryptedPeople } from "../src/e2ee/people";
import { EncryptionPolicy, SeenEncrypted } from "../src/e2ee/policy";
import type { InviteCreated, InviteNeeded } from "../src/types";

const SUPPORT = { version: 1, suites: [4, 5] };

function storage(content: Record<string, string> = {}) {
  return { getItem: (key: string) => content[key] ?? null, setItem: (key: string, value: string) => void (content[key] = value) };
}

describe("what a client insists on", () => {
  const policy = (options?: "required" | { invite?: string }, seen = new SeenEncrypted(storage()), support: typeof SUPPORT | null = SUPPORT) =>
    new EncryptionPolicy("dm-1", options, seen, support);

  it.each([undefined, "transport"] as const)("ends a join that is answered %s: with an invite, or required", (answer) => {
    for (const options of ["required", { invite: "rgi1." }] as const)
      expect(() => policy(options).decide(answer)).toThrow(expect.objectContaining({ code: "E2EE_DOWNGRADED", fatal: true }));
    expect(policy().decide(answer)).toBe(false);
    expect(policy({}).decide(answer)).toBe(false);
  });

  it("is for good, once this profile saw the channel encrypted, until the user forgets it", () => {
    const kept = storage();
    expect(policy(undefined, new SeenEncrypted(kept)).decide("endToEnd")).toBe(true);
    const later = policy(undefined, new SeenEncrypted(kept));
    expect(() => later.decide("transport")).toThrow(expect.objectContaining({ code: "E2EE_DOWNGRADED" }));
    new SeenEncrypted(kept).forget("dm-1");
    expect(policy(undefined, new SeenEncrypted(kept)).decide("transport")).toBe(false);
  });

  it("holds without storage, with one that is full, and with one that somebody filled with garbage", () => {
    const broken = {
      getItem: () => "{]",
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    };
    for (const one of [null, broken, storage({ "railgun.encrypted": '{"a":1}' })]) {
      const seen = new SeenEncrypted(one);
      seen.add("dm-1");
      expect(seen.has("dm-1")).toBe(true);
    }
    const seen = new SeenEncrypted(storage());
    for (let channel = 0; channel < 600; channel += 1) seen.add(`dm-${channel}`);
    expect([seen.has("dm-99"), seen.has("dm-100"), seen.has("dm-599")]).toEqual([false, true, true]);
  });

  it("is not forgotten when another tab adds a channel of its own, or forgets one", () => {
    const kept = storage();
    const [one, other] = [new SeenEncrypted(kept), new SeenEncrypted(kept)];
    one.add("dm-1");
    other.add("dm-2");
    one.add("dm-3");
    other.forget("dm-3");
    for (const channel of ["dm-1", "dm-2"]) expect(new SeenEncrypted(kept).has(channel), channel).toBe(true);
    expect(other.has("dm-3")).toBe(false);
  });

  it("is not asked of the server by a browser that cannot: it is said before", () => {
    const seen = new SeenEncrypted(storage());
    const unable = expect.objectContaining({ code: "CAPABILITY_REQUIRED", details: { capability: "E2EE" } });
    expect(() => policy("required", seen, null).check()).toThrow(unable);
    expect(() => policy(undefined, seen, null).check()).not.toThrow();
    expect(() => policy(undefined, seen, null).decide("endToEnd")).toThrow(unable);
  });
});

/** In place of the worker: answers each installation, and keeps what it is told. */
class FakeWorker {
  told: ToWorker[] = [];
  terminated = false;
  onmessage: ((event: { data: FromWorker }) => void) | null = null;
  onerror: (() => void) | null = null;

  postMessage(message: ToWorker): void {
    this.told.push(message);
    if (message.type !== "install") return;
    const code = `code of ${message.number}`;
    queueMicrotask(() => this.onmessage?.({ data: { type: "installed", number: message.number, code } }));
  }

  terminate(): void {
    this.terminated = true;
  }
}

function call(rotate = true) {
  const worker = new FakeWorker();
  const events: (InviteCreated | InviteNeeded)[] = [];
  const note = (event: InviteCreated | InviteNeeded) => void events.push(event);
  const send = async () => undefined;
  const handlers = { changed: () => undefined, inviteCreated: note, inviteNeeded: note, failed: vi.fn(), send };
  const encryption = new Encryption("dm-1", { rotate }, handlers, worker as unknown as Worker);
  const opens = (sessionId: string) => {
    const streams: StreamReport[] = [report(sessionId, 5)];
    worker.onmessage?.({ data: { type: "report", streams, sealed: 0, held: 0, seen: [] } });
  };
  return { worker, events, handlers, encryption, opens };
}

function report(sessionId: string, opened: number, refused: Partial<StreamReport["refused"]> = {}): StreamReport {
  return { sessionId, source: "mic", opened, refused: { malformed: 0, noKey: 0, forged: 0, replayed: 0, ...refused } };
}

const stay = (sessionId: string) => ({ sessionId, isDm: true, token: "" });
const ben = { sessionId: "s_2", userId: "ben" };
const cleo = { sessionId: "s_3", userId: "cleo" };

describe("the key of a call", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  async function entered(own = "s_1", people = [ben, cleo], rotate = true) {
    const it = call(rotate);
    await it.encryption.use(await writeInvite("dm-1", freshInvite()));
    it.encryption.enter(stay(own), people);
    for (const { sessionId } of people) it.opens(sessionId);
    return it;
  }
  const settled = () => vi.advanceTimersByTimeAsync(0);

  it("is another when somebody leaves, made by the first, who has the application carry it to the others", async () => {
    const it = await entered();
    it.encryption.people([cleo]);
    await vi.advanceTimersByTimeAsync(100);
    expect(it.worker.told.at(-2)).toEqual({ type: "left" });
    expect(it.worker.told.at(-1)).toMatchObject({ type: "install", number: 2, removal: true, delayed: true });
    await vi.waitFor(() => expect(it.events).toHaveLength(1));
    const [created] = it.events as InviteCreated[];
    expect(created).toMatchObject({ channelId: "dm-1", userIds: ["cleo"], reason: "left" });
    expect(await readInvite("dm-1", created?.invite ?? "")).toMatchObject({ number: 2, removal: true });
    expect(it.encryption.snapshot.code).toBe("code of 2");
  });

  it("is another at once for who is left alone, and nobody is told", async () => {
    const it = await entered("s_1", [ben]);
    it.encryption.people([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(it.worker.told.at(-1)).toMatchObject({ type: "install", number: 2, delayed: false });
    expect(it.events).toEqual([]);
  });

  it("is missed a second after somebody left, if the first did not make one", async () => {
    const it = await entered("s_9");
    it.encryption.people([cleo]);
    expect(it.worker.told.at(-1)).toEqual({ type: "left" });
    await vi.advanceTimersByTimeAsync(999);
    expect(it.events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(it.events).toEqual([{ channelId: "dm-1", reason: "left" }]);
    expect(it.encryption.snapshot.code).toBe(null);
  });

  it("is not missed if it came within that second", async () => {
    const it = await entered("s_9");
    it.encryption.people([cleo]);
    await it.encryption.use(await writeInvite("dm-1", freshInvite({ number: 2, removal: true })));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(it.events).toEqual([]);
    expect(it.encryption.snapshot.code).toBe("code of 2");
  });

  it("is not missed if it came before the server said who left, and is for the next one who leaves", async () => {
    const it = await entered("s_9");
    await it.encryption.use(await writeInvite("dm-1", freshInvite({ number: 2, removal: true })));
    it.encryption.people([cleo]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(it.events).toEqual([]);
    it.encryption.people([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(it.worker.told.at(-1)).toMatchObject({ type: "install", number: 3, removal: true });
  });

  it("is given to who comes, by the first alone", async () => {
    const first = await entered("s_1", [ben]);
    const second = await entered("s_2", [{ sessionId: "s_1", userId: "ada" }]);
    first.encryption.people([ben, cleo]);
    second.encryption.people([{ sessionId: "s_1", userId: "ada" }, cleo]);
    await settled();
    await vi.waitFor(() => expect(first.events).toMatchObject([{ userIds: ["cleo"], reason: "joined" }]));
    expect(second.events).toEqual([]);
  });

  it("stays in a call that does not change it", async () => {
    const it = await entered("s_1", [ben], false);
    it.encryption.people([]);
    it.encryption.people([cleo]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(it.worker.told.filter(({ type }) => type === "left" || type === "install")).toHaveLength(1);
    expect(it.events).toEqual([]);
  });

  it("survives a rejoin of all under other sessions, and not of one who stays away for 10 s", async () => {
    const it = await entered();
    it.encryption.enter(stay("s_11"), [{ sessionId: "s_13", userId: "cleo" }]);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(it.worker.told.some(({ type }) => type === "left")).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(it.worker.told.some(({ type }) => type === "left")).toBe(true);
  });

  it("is asked for by who comes without", async () => {
    const it = call();
    it.encryption.enter(stay("s_1"), [ben]);
    expect(it.events).toEqual([{ channelId: "dm-1", reason: "joined" }]);
    expect(it.encryption.snapshot).toEqual({ mode: "endToEnd", keys: "invite", code: null, verified: false, unlisted: [], faulty: [] });
  });

  it("is verified until it is another", async () => {
    const it = await entered();
    it.encryption.confirm(true);
    expect(it.encryption.snapshot.verified).toBe(true);
    await it.encryption.use(await writeInvite("dm-1", freshInvite({ number: 2 })));
    expect(it.encryption.snapshot).toEqual({ mode: "endToEnd", keys: "invite", code: "code of 2", verified: false, unlisted: [], faulty: [] });
  });

  it("ends with the call: the worker with it", async () => {
    const it = await entered();
    it.encryption.close();
    expect(it.worker.terminated).toBe(true);
    expect(await it.encryption.current()).toBe(null);
  });

  it("is no reason to go on without: a worker that does not run ends the call", () => {
    const it = call();
    it.worker.onerror?.();
    expect(it.handlers.failed).toHaveBeenCalledWith(expect.objectContaining({ fatal: true }));
  });

  it("is not waited for in vain: a worker that does not run ends the join", async () => {
    const it = call();
    it.worker.postMessage = () => undefined;
    const using = it.encryption.use(await writeInvite("dm-1", freshInvite()));
    await Promise.all([expect(using).rejects.toThrow("does not run"), settled().then(() => it.worker.onerror?.())]);
  });

  it("is not given to a sender that has no transform", () => {
    const it = call();
    const codecs = { codecs: [{ payloadType: 96, mimeType: "video/VP8" }] };
    for (const sender of [undefined, { transform: null } as unknown as RTCRtpSender])
      expect(() => it.encryption.sealed(sender, 1, codecs)).toThrow("without encryption");
    expect(() => it.encryption.sealed({ transform: {} } as RTCRtpSender, null, codecs)).toThrow("without encryption");
  });
});

describe("somebody whose key is missing", () => {
  it("is named within a second of frames that cannot be opened, and not any more when one is", () => {
    const people = new EncryptedPeople();
    expect(people.of("s_2", 0)).toBe("pending");
    people.take([report("s_2", 0, { noKey: 10 })], 200);
    expect(people.of("s_2", 200)).toBe("pending");
    expect(people.take([report("s_2", 0, { noKey: 10 })], 600)).toBe(true);
    expect(people.of("s_2", 600)).toBe("keyMissing");
    expect(people.take([report("s_2", 1, { noKey: 9 })], 800)).toBe(true);
    expect(people.of("s_2", 800)).toBe("opened");
  });

  it("is not who was replayed", () => {
    const people = new EncryptedPeople();
    for (const at of [0, 200, 400, 600]) people.take([report("s_2", 0, { replayed: 10 })], at);
    expect(people.of("s_2", 600)).toBe("pending");
  });
});
