import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VoiceError } from "../src/errors";
import { DISCONNECTED_MS, type MediaState, PathWatch, worseOf } from "../src/runtime/path-watch";

/** A path with what was asked of the server on its behalf, and when. */
function begin(answers: { restartIce?: () => Promise<void>; renew?: () => Promise<void> } = {}) {
  const asked: [what: string, at: number][] = [];
  const states: MediaState[] = [];
  const start = Date.now();
  const note = (what: string) => void asked.push([what, (Date.now() - start) / 1000]);
  const path: PathWatch = new PathWatch({
    restartIce: () => (note("restartIce"), answers.restartIce?.() ?? Promise.resolve()),
    renew: async () => {
      note("renew");
      await answers.renew?.();
      // What was sent is sent again, which begins with its parameters.
      path.begins();
    },
    rejoin: () => note("rejoin"),
    changed: () => void (states.at(-1) !== path.state && states.push(path.state)),
    failed: (error) => note(`${error.code}${error.fatal ? ", fatal" : ""}`),
  });
  return { path, asked, states };
}
const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);
const refused = (code: ConstructorParameters<typeof VoiceError>[0]) => () =>
  Promise.reject(new VoiceError(code, code));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a transport that never connects", () => {
  it("has 10 s, then two new transports 1 s later with 10 s each, and then the call is over", async () => {
    const { path, asked, states } = begin();
    path.begins();
    await seconds(60);
    // dtls: 10 s + 1 s, 10 s + 1 s, 10 s.
    expect(asked).toEqual([
      ["renew", 11],
      ["renew", 22],
      ["TRANSPORT_FAILED, fatal", 32],
    ]);
    expect(states).toEqual(["connecting"]);
  });

  it("is given up at once when the browser or the server says so", async () => {
    const [browser, server] = [begin(), begin()];
    browser.path.begins();
    server.path.begins();
    await seconds(2);
    browser.path.moved("failed");
    server.path.failedAtServer();
    await seconds(1.5);
    expect(browser.asked).toEqual([["renew", 3]]);
    expect(server.asked).toEqual([["renew", 3]]);
  });

  it("and does after all has all its tries again", async () => {
    const { path, asked } = begin();
    path.begins();
    await seconds(25);
    path.moved("connected");
    expect(path.state).toBe("connected");
    await seconds(60);
    expect(asked.map(([what]) => what)).toEqual(["renew", "renew"]);
    path.moved("failed");
    await seconds(60);
    expect(asked.filter(([what]) => what === "renew").length).toBe(4);
  });

  it("waits for a socket to ask for another one", async () => {
    let hasSocket = false;
    const { path, asked } = begin({ renew: () => (hasSocket ? Promise.resolve() : refused("UNREACHABLE")()) });
    path.begins();
    await seconds(30);
    expect(asked).toEqual([["renew", 11]]);
    hasSocket = true;
    path.socketIsBack();
    await seconds(1);
    expect(asked.at(-1)).toEqual(["renew", 30]);
    expect(path.state).toBe("connecting");
  });

  it("at a server that replaces none needs a new session, which gets no tries of its own", async () => {
    const { path, asked } = begin({ renew: refused("INVALID_STATE") });
    for (let session = 0; session < 3; session += 1) {
      path.begins();
      await seconds(12);
      // As a connection does that joins again.
      path.stop();
    }
    expect(asked.map(([what]) => what)).toEqual(["renew", "rejoin", "renew", "rejoin", "TRANSPORT_FAILED, fatal"]);
    path.forgive();
    path.begins();
    await seconds(12);
    expect(asked.at(-1)?.[0]).toBe("rejoin");
  });

  // What went over it is closed here before the server is asked: connected, it would be a call without sound.
  it.each([
    ["a new transport, which has 10 s as well", () => Promise.resolve(), [["renew", 11], ["renew", 22.5]]],
    ["a refusal, since the server has it connected", refused("INVALID_STATE"), [["renew", 11], ["rejoin", 11.5]]],
    ["a node that is away", refused("NODE_UNAVAILABLE"), [["renew", 11], ["renew", 13.5], ["renew", 16], ["renew", 18.5], ["renew", 21]]],
  ])("does not count as connected once another one is asked for; the answer is %s", async (_, answer, expected) => {
    const { path, asked } = begin({ renew: () => new Promise((done) => setTimeout(done, 500)).then(answer) });
    path.begins();
    await seconds(11.2);
    path.moved("connected");
    expect(path.state).toBe("connecting");
    await seconds(11.5);
    expect(asked).toEqual(expected);
  });

  it("is asked for again while the node is away for a moment, which is no failure of the path", async () => {
    const { path, asked } = begin({ renew: refused("NODE_UNAVAILABLE") });
    path.begins();
    await seconds(60);
    expect(asked.map(([what]) => what)).toEqual(Array(25).fill("renew"));
  });

  it("does nothing more after the call", async () => {
    const { path, asked } = begin();
    path.begins();
    await seconds(5);
    path.stop();
    await seconds(60);
    expect(asked).toEqual([]);
  });
});

describe("a path that stood and is lost", () => {
  const stood = (answers?: Parameters<typeof begin>[0]) => {
    const all = begin(answers);
    all.path.begins();
    all.path.moved("connected");
    return all;
  };

  it("may come back by itself", async () => {
    const { path, asked } = stood();
    path.moved("disconnected");
    await seconds(DISCONNECTED_MS / 1000 - 0.1);
    path.moved("connected");
    await seconds(60);
    expect(asked).toEqual([]);
  });

  it("gets new ICE credentials after 3 s, or at once when it failed", async () => {
    const [slow, fast] = [stood(), stood()];
    slow.path.moved("disconnected");
    fast.path.moved("failed");
    await seconds(4);
    expect(slow.asked).toEqual([["restartIce", 3]]);
    expect(fast.asked).toEqual([["restartIce", 0]]);
    for (const { path } of [slow, fast]) {
      expect(path.state).toBe("interrupted");
      path.moved("connected");
      expect(path.state).toBe("connected");
    }
  });

  it.each(["connecting", "disconnected", "new"])(
    "has failed when it is not connected within 10 s, though it is called %s then",
    async (name) => {
      const { path, asked } = stood();
      path.moved("failed");
      await seconds(1);
      path.moved(name);
      await seconds(9.5);
      expect(asked.at(-1)).toEqual(["restartIce", 0]);
      await seconds(1);
      expect(asked.at(-1)).toEqual(["renew", 11]);
    },
  );

  it("has failed at once when it fails again with the new credentials", async () => {
    const { path, asked } = stood();
    path.moved("failed");
    await seconds(2);
    path.moved("connecting");
    path.moved("failed");
    await seconds(1.1);
    expect(asked.at(-1)).toEqual(["renew", 3]);
  });

  it("needs a new transport when the server has given up the old one", async () => {
    const { path, asked } = stood({ restartIce: refused("TRANSPORT_FAILED") });
    path.moved("failed");
    await seconds(1.1);
    expect(asked).toEqual([
      ["restartIce", 0],
      ["renew", 1],
    ]);
  });

  it("waits for a socket to ask for credentials", async () => {
    let hasSocket = false;
    const { path, asked } = stood({
      restartIce: () => (hasSocket ? Promise.resolve() : refused("UNREACHABLE")()),
    });
    path.moved("failed");
    await seconds(30);
    expect(asked).toEqual([["restartIce", 0]]);
    hasSocket = true;
    path.socketIsBack();
    expect(asked.at(-1)).toEqual(["restartIce", 30]);
  });
});

it("what is shown is the worse way of those in use", () => {
  expect(worseOf(["idle", "connected"])).toBe("connected");
  expect(worseOf(["connecting", "connected"])).toBe("connecting");
  expect(worseOf(["interrupted", "connecting"])).toBe("interrupted");
  expect(worseOf(["idle", "idle"])).toBe("idle");
});
