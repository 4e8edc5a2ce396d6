import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import type { Encryption } from "../src/e2ee/encryption";
import { Media, produce } from "../src/runtime/media";

/** What stands in for mediasoup-client's device: transports that remember who listens. */
class FakeTransport {
  closed = false;
  handlers = new Map<string, (...args: never[]) => void>();
  constructor(readonly id: string) {}
  on(name: string, handler: (...args: never[]) => void) {
    this.handlers.set(name, handler);
  }
  close() {
    this.closed = true;
  }
}
const device = {
  load: async () => undefined,
  createSendTransport: ({ id }: { id: string }) => new FakeTransport(id),
  createRecvTransport: ({ id }: { id: string }) => new FakeTransport(id),
};

let created: { at: number; direction: string }[];
/** The answers to `createTransport`, in order; afterwards all are good. */
let failures: VoiceError[];
const start = () => {
  const handlers = { capabilities: vi.fn(), connecting: vi.fn(), connection: vi.fn() };
  const request = vi.fn(async (name: string, payload: { direction: string }) => {
    if (name !== "voice:rtc:createTransport") return {};
    created.push({ at: Date.now(), direction: payload.direction });
    const failure = failures.shift();
    if (failure) throw failure;
    return { id: `${payload.direction}-${created.length}` };
  });
  const config = { iceServers: [], iceTransportPolicy: "all" as const };
  const opening = Media.open(request as never, config, Promise.resolve(device as never), handlers);
  return { opening, handlers, request };
};
const refusal = (code: "TIMEOUT" | "NODE_UNAVAILABLE" | "INVALID_STATE" | "UNAUTHORIZED", fatal = false) =>
  new VoiceError(code, code, {}, fatal);

beforeEach(() => {
  vi.useFakeTimers();
  [created, failures] = [[], []];
});
afterEach(() => void vi.useRealTimers());

describe("creating transports", () => {
  it("is tried again twice, 1 s apart: createTransport", async () => {
    // Two for each direction.
    failures = Array.from({ length: 4 }, () => refusal("NODE_UNAVAILABLE"));
    const at = Date.now();
    const { opening } = start();
    await vi.runAllTimersAsync();
    await opening;
    expect(created.map((it) => it.at - at)).toEqual([0, 0, 1_000, 1_000, 2_000, 2_000]);
  });

  it("is given up when the third try fails as well", async () => {
    failures = Array.from({ length: 6 }, () => refusal("TIMEOUT"));
    const { opening } = start();
    const failed = expect(opening).rejects.toMatchObject({ code: "TIMEOUT" });
    await vi.runAllTimersAsync();
    await failed;
    expect(created.length).toBe(6);
  });

  it.each([refusal("INVALID_STATE"), refusal("UNAUTHORIZED", true)])(
    "is not tried again after $code",
    async (error) => {
      failures = [error, error];
      const { opening } = start();
      const failed = expect(opening).rejects.toBe(error);
      await vi.runAllTimersAsync();
      await failed;
      expect(created.length).toBe(2);
    },
  );
});

describe("a transport that is renewed", () => {
  it("is another one, in its direction alone, and the old one is closed", async () => {
    const { opening, handlers, request } = start();
    const media = await opening;
    const [send, recv] = [media.send, media.recv] as never as [FakeTransport, FakeTransport];
    await media.renew("send");
    expect([send.closed, recv.closed]).toEqual([true, false]);
    expect([media.send.id, media.recv.id]).toEqual(["send-3", recv.id]);
    // The new one is wired as the old one was.
    const { handlers: wired } = media.send as never as FakeTransport;
    const done = vi.fn();
    wired.get("connect")?.(...([{ dtlsParameters: {} }, done, vi.fn()] as never[]));
    await vi.runAllTimersAsync();
    expect(handlers.connecting).toHaveBeenCalledWith("send");
    expect(request).toHaveBeenCalledWith("voice:rtc:connectTransport", { transportId: "send-3", dtlsParameters: {} });
    expect(done).toHaveBeenCalledOnce();
  });

  it("stays closed when the call was left meanwhile", async () => {
    const { opening } = start();
    const media = await opening;
    const renewing = expect(media.renew("recv")).rejects.toMatchObject({ code: "CANCELLED" });
    media.close();
    await renewing;
  });
});

describe("media of a call that is encrypted from end to end", () => {
  /** mediasoup-client's, as it is and as one would be that does not call back. */
  const transport = (callsBack: boolean) => {
    const close = vi.fn();
    const answer = (callback: ((of: object) => void) | undefined) => {
      if (callsBack) callback?.({ transform: null });
      return { close, rtpSender: {}, rtpParameters: { codecs: [] } };
    };
    return {
      close,
      consume: async ({ onRtpReceiver }: { onRtpReceiver?: (of: object) => void }) => answer(onRtpReceiver),
      produce: async ({ onRtpSender }: { onRtpSender?: (of: object) => void }) => answer(onRtpSender),
    };
  };
  const encryption = () => ({
    open: vi.fn(),
    seal: vi.fn(() => 7),
    sealed: vi.fn((_sender: unknown, transform: number | null) => {
      if (transform === null) throw new VoiceError("INTERNAL", "without encryption", {}, true);
    }),
  });

  async function opened(recv: object, it: ReturnType<typeof encryption>) {
    const request = async () => ({ id: "c", kind: "video", rtpParameters: { codecs: [{ mimeType: "video/VP8" }] } });
    const fake = { ...device, createRecvTransport: () => Object.assign(new FakeTransport("recv"), recv) };
    const config = { iceServers: [], iceTransportPolicy: "all" as const };
    const handlers = { capabilities: vi.fn(), connecting: vi.fn(), connection: vi.fn() };
    return Media.open(request as never, config, Promise.resolve(fake as never), handlers, it as unknown as Encryption);
  }
  const of = { sessionId: "s_2", source: "camera" } as const;

  it("receives by a transform, with whose it is", async () => {
    const it = encryption();
    const recv = transport(true);
    await (await opened(recv, it)).consume("p", of);
    expect(it.open).toHaveBeenCalledWith({ transform: null }, of, "video/VP8");
    expect(recv.close).not.toHaveBeenCalled();
  });

  it.each([
    ["that was not given its transform", false, of],
    ["of nobody", true, undefined],
  ])("plays nothing of a receiver %s", async (_, callsBack, whose) => {
    const recv = transport(callsBack);
    const media = await opened(recv, encryption());
    await expect(media.consume("p", whose)).rejects.toMatchObject({ fatal: true });
    expect(recv.close).toHaveBeenCalled();
  });

  it("closes a producer whose sender was not given its transform", async () => {
    for (const callsBack of [true, false]) {
      const it = encryption();
      const send = transport(callsBack);
      const producing = produce({ send, encryption: it } as never, "camera", {});
      if (callsBack) await producing;
      else await expect(producing).rejects.toMatchObject({ fatal: true });
      expect(send.close).toHaveBeenCalledTimes(callsBack ? 0 : 1);
    }
  });
});
