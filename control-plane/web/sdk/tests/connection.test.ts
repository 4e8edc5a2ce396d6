import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { resumeDue, spreadWaitBefore } from "../src/runtime/backoff";
import { Connection, type ConnectionHandlers } from "../src/runtime/connection";
import { Media } from "../src/runtime/media";
import { type ServerEvent, Signaling } from "../src/runtime/signaling";
import { StateMachine } from "../src/state-machine";

/** What stands in for a socket: answers requests from a table, and can be lost. */
class FakeSocket {
  connected = true;
  requests: string[] = [];
  resumedWith: unknown = null;
  lost: () => void = () => undefined;
  onEvent: (event: ServerEvent) => void = () => undefined;

  constructor(private readonly answer: (name: string) => unknown) {}

  request = (name: string) => {
    this.requests.push(name);
    const answer = this.answer(name);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  resumed = () =>
    this.resumedWith instanceof Error ? Promise.reject(this.resumedWith) : Promise.resolve(this.resumedWith);
  listen(onEvent: (event: ServerEvent) => void) {
    this.onEvent = onEvent;
  }
  onLost(lost: () => void) {
    this.lost = lost;
  }
  close() {
    this.connected = false;
  }
  lose() {
    this.connected = false;
    this.lost();
  }
}

const joined = {
  channelId: "lobby",
  sessionId: "me",
  participants: [],
  resumeToken: "first",
  rtcConfig: { iceServers: [], iceTransportPolicy: "all" },
};
const refusal = (code: "NODE_UNAVAILABLE" | "RATE_LIMITED" | "CHANNEL_FULL", retryAfterMs?: number) =>
  new VoiceError(code, code, retryAfterMs === undefined ? {} : { retryAfterMs });

let sockets: (FakeSocket | VoiceError)[];
let connects: { at: number; resume: string | undefined }[];
let mediaOpened: number;
let mediaClosed: number;

function begin(token = () => Promise.resolve("token")) {
  const handlers = {
    joined: vi.fn(),
    opened: vi.fn(() => Promise.resolve()),
    resumed: vi.fn(() => Promise.resolve()),
    interrupted: vi.fn(),
    renewing: vi.fn(),
    renewed: vi.fn(),
    mediaState: vi.fn(),
    event: vi.fn(),
    ended: vi.fn(),
    sent: () => "mic" as const,
  } satisfies ConnectionHandlers;
  const machine = new StateMachine();
  const options = { url: undefined, deviceId: "test", token };
  return { connection: new Connection(options, machine, handlers), machine, handlers };
}

const inCall = async () => {
  const call = begin();
  await call.connection.join("lobby");
  call.machine.apply("sourcesChanged", "mic");
  return call;
};

beforeEach(() => {
  vi.useFakeTimers();
  // In the middle: no wait is longer or shorter than planned.
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  vi.stubGlobal("navigator", {});
  [sockets, connects, mediaOpened, mediaClosed] = [[], [], 0, 0];
  vi.spyOn(Signaling, "connect").mockImplementation(({ resume }) => {
    connects.push({ at: Date.now(), resume });
    const next = sockets.shift() ?? new VoiceError("UNREACHABLE", "nobody there");
    return next instanceof VoiceError ? Promise.reject(next) : Promise.resolve(next as never as Signaling);
  });
  vi.spyOn(Media, "open").mockImplementation((_request, _config, _device, steps) => {
    mediaOpened += 1;
    steps.capabilities();
    return Promise.resolve({ close: () => (mediaClosed += 1) } as never as Media);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const good = () => new FakeSocket(() => joined);

describe("a join that may be encrypted end to end (e2ee)", () => {
  it("asks for the media while what encrypts is loaded, and is in the room with it", async () => {
    const { connection, handlers } = begin();
    let loaded = (_: null) => undefined as void;
    Object.assign(handlers, { admitted: () => new Promise((resolve) => (loaded = resolve)) });
    sockets = [new FakeSocket(() => ({ ...joined, encryption: "endToEnd" }))];
    const joining = connection.join("lobby");
    await vi.advanceTimersByTimeAsync(0);
    expect([mediaOpened, handlers.joined.mock.calls.length]).toEqual([1, 0]);
    loaded(null);
    await joining;
    expect(handlers.joined).toHaveBeenCalledOnce();
  });

  it("asks for no media before it is decided whether less than that will do", async () => {
    const { connection, handlers, machine } = begin();
    let decided = (_: Error) => undefined as void;
    Object.assign(handlers, { admitted: () => new Promise((_, reject) => (decided = reject)) });
    sockets = [good()];
    const joining = expect(connection.join("lobby")).rejects.toMatchObject({ code: "E2EE_DOWNGRADED" });
    await vi.advanceTimersByTimeAsync(0);
    expect(mediaOpened).toBe(0);
    decided(new VoiceError("E2EE_DOWNGRADED", "less", {}, true));
    await joining;
    expect([mediaOpened, handlers.joined.mock.calls.length, machine.state]).toEqual([0, 0, "DISCONNECTED"]);
  });
});

describe("joining", () => {
  it("is tried again after 1, 2 and 4 seconds, and then given up", async () => {
    const { connection, machine } = begin();
    const failed = expect(connection.join("lobby")).rejects.toMatchObject({ code: "UNREACHABLE" });
    await vi.runAllTimersAsync();
    await failed;
    expect(gaps()).toEqual([1_000, 2_000, 4_000]);
    expect(machine.state).toBe("DISCONNECTED");
  });

  it("waits as long as the server asks, on the same socket", async () => {
    let tries = 0;
    const socket = new FakeSocket(() => ((tries += 1) === 1 ? refusal("RATE_LIMITED", 4_200) : joined));
    sockets = [socket];
    const { connection, machine } = begin();
    const start = Date.now();
    const done = connection.join("lobby");
    await vi.runAllTimersAsync();
    await done;
    expect(Date.now() - start).toBe(4_200);
    expect(connects.length).toBe(1);
    expect(machine.state).toBe("READY");
  });

  it("fails at once with what the application's token function threw, and does so later on as well", async () => {
    const thrown = new Error("not signed in");
    let answers = [() => Promise.reject(thrown), () => Promise.resolve("token")];
    const token = () => (answers.shift() ?? (() => Promise.reject(thrown)))();
    const { connection, machine, handlers } = begin(token);
    await expect(connection.join("lobby")).rejects.toMatchObject({ code: "TOKEN_UNAVAILABLE", cause: thrown });
    expect(connects).toEqual([]);
    const first = good();
    sockets = [first];
    await connection.join("lobby");
    // Its server is away as well for a moment; a call does not end for that.
    answers = [() => Promise.reject(thrown), () => Promise.resolve("token")];
    const second = good();
    second.resumedWith = { ...joined, resumeToken: "second" };
    sockets = [second];
    first.lose();
    await vi.runAllTimersAsync();
    expect(handlers.ended).not.toHaveBeenCalled();
    expect(machine.state).not.toBe("DISCONNECTED");
  });

  it("is tried over another socket after the second NODE_UNAVAILABLE", async () => {
    const [first, second] = [new FakeSocket(() => refusal("NODE_UNAVAILABLE")), good()];
    sockets = [first, second];
    const { connection, machine } = begin();
    const done = connection.join("lobby");
    await vi.runAllTimersAsync();
    await done;
    expect(first.requests).toEqual(["voice:join", "voice:join"]);
    expect(first.connected).toBe(false);
    expect(second.requests).toEqual(["voice:join"]);
    expect(machine.state).toBe("READY");
  });

  it("is not tried again when the answer is final", async () => {
    sockets = [new FakeSocket(() => refusal("CHANNEL_FULL"))];
    const { connection, machine } = begin();
    await expect(connection.join("lobby")).rejects.toMatchObject({ code: "CHANNEL_FULL" });
    expect(connects.length).toBe(1);
    expect(machine.state).toBe("DISCONNECTED");
  });

  it("does not keep the user waiting for minutes", async () => {
    sockets = [new FakeSocket(() => refusal("RATE_LIMITED", 300_000))];
    const { connection } = begin();
    await expect(connection.join("lobby")).rejects.toMatchObject({
      code: "RATE_LIMITED",
      retryAfterMs: 300_000,
    });
  });

  it("ends when the user leaves meanwhile", async () => {
    sockets = [new FakeSocket(() => refusal("NODE_UNAVAILABLE"))];
    const { connection, machine } = begin();
    const failed = expect(connection.join("lobby")).rejects.toMatchObject({ code: "CANCELLED" });
    await vi.advanceTimersByTimeAsync(100);
    await connection.leave();
    await vi.runAllTimersAsync();
    await failed;
    expect(machine.state).toBe("DISCONNECTED");
  });
});

describe("a fatal refusal", () => {
  // INTERNAL: the server no longer knows how the session stands.
  it.each(["UNAUTHORIZED", "INTERNAL"] as const)("of whatever is asked in a call ends it: %s", async (code) => {
    const fatal = new VoiceError(code, "no", {}, true);
    let answer: unknown = joined;
    sockets = [new FakeSocket(() => answer)];
    const { connection, machine, handlers } = await inCall();
    answer = fatal;
    await expect(connection.request("voice:entitlement:refresh", { token: "" })).rejects.toBe(fatal);
    expect(machine.state).toBe("DISCONNECTED");
    expect(handlers.ended).toHaveBeenCalledWith(fatal);
    expect(mediaClosed).toBe(1);
    await vi.runAllTimersAsync();
    expect(connects.length).toBe(1);
  });

  it("of a step after the join ends it, and INTERNAL is not tried again", async () => {
    const fatal = new VoiceError("INTERNAL", "no", {}, true);
    vi.mocked(Media.open).mockRejectedValue(fatal);
    const socket = good();
    sockets = [socket, good()];
    const { connection, machine } = begin();
    await expect(connection.join("lobby")).rejects.toBe(fatal);
    expect([connects.length, socket.connected]).toEqual([1, false]);
    expect(machine.state).toBe("DISCONNECTED");
  });

  it("of a resume ends the call, and no other try is made", async () => {
    const fatal = new VoiceError("INTERNAL", "no", {}, true);
    const [first, second] = [good(), good()];
    second.resumedWith = fatal;
    sockets = [first, second, good()];
    const { machine, handlers } = await inCall();
    first.lose();
    await vi.runAllTimersAsync();
    expect(machine.state).toBe("DISCONNECTED");
    expect(handlers.ended).toHaveBeenCalledExactlyOnceWith(fatal);
    expect([connects.length, second.requests, mediaClosed]).toEqual([2, [], 1]);
  });

  it("of a resume ends the call also when its code may be temporary", async () => {
    const [first, second] = [good(), good()];
    second.resumedWith = new VoiceError("NODE_UNAVAILABLE", "no", {}, true);
    sockets = [first, second, good()];
    const { machine } = await inCall();
    first.lose();
    await vi.runAllTimersAsync();
    expect([machine.state, connects.length]).toEqual(["DISCONNECTED", 2]);
  });

  it("of a join is not tried again, though its code may be temporary", async () => {
    sockets = [new FakeSocket(() => new VoiceError("NODE_UNAVAILABLE", "no", {}, true))];
    const { connection, machine } = begin();
    await expect(connection.join("lobby")).rejects.toMatchObject({ fatal: true });
    expect(connects.length).toBe(1);
    expect(machine.state).toBe("DISCONNECTED");
  });

  it("is one that says so: others leave the call alone", async () => {
    let answer: unknown = joined;
    sockets = [new FakeSocket(() => answer)];
    const { connection, machine } = await inCall();
    for (const code of ["PERMISSION_DENIED", "INTERNAL"] as const) {
      answer = new VoiceError(code, "no");
      await expect(connection.request("voice:ping", { sentAt: 0 })).rejects.toMatchObject({ fatal: false });
      expect(machine.state).toBe("PRODUCING_AUDIO");
    }
  });
});

describe("media that does not connect", () => {
  it("gets two new transports in the same session, and then the call is over", async () => {
    let wired: Parameters<typeof Media.open>[3] | undefined;
    const renewed: string[] = [];
    vi.mocked(Media.open).mockImplementation((_request, _config, _device, steps) => {
      wired = steps;
      steps.capabilities();
      const renew = async (direction: string) => {
        renewed.push(`${direction} at ${Date.now() - begun}`);
        // What was sent is sent again.
        queueMicrotask(() => steps.connecting("send"));
      };
      return Promise.resolve({ close: () => undefined, renew } as never as Media);
    });
    const socket = good();
    sockets = [socket];
    const { machine, handlers } = await inCall();
    const begun = Date.now();
    wired?.connecting("send");
    expect(handlers.mediaState).toHaveBeenLastCalledWith("connecting");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(renewed).toEqual(["send at 11000", "send at 22000"]);
    expect(handlers.renewing.mock.calls).toEqual([["send"], ["send"]]);
    expect(handlers.renewed).toHaveBeenCalledTimes(2);
    expect(handlers.ended).toHaveBeenCalledWith(expect.objectContaining({ code: "TRANSPORT_FAILED", fatal: true }));
    expect(machine.state).toBe("DISCONNECTED");
    expect(socket.requests).toEqual(["voice:join"]);
  });
});

describe("a lost socket", () => {
  it("is resumed with the token, and the media is not touched", async () => {
    const [first, second] = [good(), good()];
    second.resumedWith = { ...joined, resumeToken: "second", producers: [], consumers: [], queue: [] };
    sockets = [first, second];
    const { machine, handlers } = await inCall();
    first.lose();
    expect(machine.state).toBe("RESUMING");
    await vi.runAllTimersAsync();
    expect(machine.state).toBe("PRODUCING_AUDIO");
    expect(connects[1]).toMatchObject({ resume: "first" });
    expect(connects[1]?.at).toBe((connects[0]?.at ?? 0) + 1_000);
    expect([mediaOpened, mediaClosed]).toEqual([1, 0]);
    expect(handlers.resumed).toHaveBeenCalledOnce();
    expect(second.requests).not.toContain("voice:join");

    // The next loss uses the token of the first resume.
    second.lose();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connects[2]?.resume).toBe("second");
  });

  it("whose session is gone becomes a new one in the same channel", async () => {
    const [first, second] = [good(), good()];
    sockets = [first, second];
    const { machine, handlers } = await inCall();
    first.lose();
    await vi.runAllTimersAsync();
    expect(handlers.interrupted).toHaveBeenCalledOnce();
    expect(second.requests).toEqual(["voice:join"]);
    expect([mediaOpened, mediaClosed]).toEqual([2, 1]);
    expect(machine.state).toBe("READY");
  });

  it("is tried five times after 1, 2, 4, 8 and 16 seconds, within 35, and then the call is over", async () => {
    const first = good();
    sockets = [first];
    const { machine, handlers } = await inCall();
    const lostAt = Date.now();
    first.lose();
    await vi.runAllTimersAsync();
    expect(gaps()).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
    expect(Date.now() - lostAt).toBeLessThanOrEqual(35_000);
    expect(machine.state).toBe("DISCONNECTED");
    expect(handlers.ended).toHaveBeenCalledOnce();
  });
});

describe("the waits of many", () => {
  it("are spread by half of each, no sooner than the server asks and within the 35 seconds", () => {
    for (const [random, due] of [
      [0, [500, 2_000, 5_000, 11_000, 23_000]],
      [0.999_999, [1_500, 4_000, 9_000, 19_000, 35_000]],
    ] as const) {
      vi.mocked(Math.random).mockReturnValue(random);
      expect([0, 1, 2, 3, 4].map((tried) => Math.round(resumeDue(tried) ?? 0))).toEqual(due);
      expect(resumeDue(5)).toBeNull();
      expect(Math.round(spreadWaitBefore("join", 1) ?? 0)).toBe(due[0]);
      expect(spreadWaitBefore("join", 1, 4_200)).toBe(4_200);
      expect(spreadWaitBefore("join", 4)).toBeNull();
    }
  });
});

describe("a server that lost sight of the room", () => {
  it("tells how everything stands, and nothing is joined anew", async () => {
    const socket = good();
    sockets = [socket];
    const { machine, handlers } = await inCall();
    const payload = { ...joined, resumeToken: "second", producers: [], consumers: [], queue: [] } as never;
    socket.onEvent({ name: "voice:resumed", payload });
    expect(handlers.resumed).toHaveBeenCalledWith(payload);
    expect(machine.state).toBe("PRODUCING_AUDIO");
    expect(mediaOpened).toBe(1);
    socket.lose();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connects[1]?.resume).toBe("second");
  });
});

describe("a room that moves", () => {
  it("is joined again after the given delay, on the same socket", async () => {
    const socket = good();
    sockets = [socket];
    const { machine, handlers } = await inCall();
    socket.onEvent({ name: "voice:rejoin", payload: { reason: "node_lost", retryAfterMs: 700 } });
    expect(machine.state).toBe("REJOINING");
    await vi.advanceTimersByTimeAsync(699);
    expect(socket.requests).toEqual(["voice:join"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.requests).toEqual(["voice:join", "voice:join"]);
    expect(machine.state).toBe("READY");
    expect(handlers.interrupted).toHaveBeenCalledOnce();
    expect(mediaOpened).toBe(2);
  });
});

/** Milliseconds between one try to connect and the next. */
function gaps(): number[] {
  return connects.slice(1).map(({ at }, index) => at - (connects[index]?.at ?? 0));
}
