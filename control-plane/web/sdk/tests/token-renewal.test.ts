import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TokenRenewal, untilRenewal } from "../src/runtime/token-renewal";

const NOW = 1_800_000_000;
const token = (iat: number, exp: number) => `x.${btoa(JSON.stringify({ sub: "ada", iat, exp }))}.x`;

describe("a token is renewed before it ends", () => {
  beforeEach(() => void vi.useFakeTimers({ now: NOW * 1_000 }));
  afterEach(() => void vi.useRealTimers());

  it("a minute ahead, or after four fifths of a short life", () => {
    expect(untilRenewal(token(NOW, NOW + 3_600), NOW * 1_000)).toBe(3_540_000);
    expect(untilRenewal(token(NOW, NOW + 100), NOW * 1_000)).toBe(80_000);
    // A device whose clock is a day behind.
    expect(untilRenewal(token(NOW, NOW + 3_600), (NOW - 86_400) * 1_000)).toBe(3_540_000);
    expect(untilRenewal("no token", NOW * 1_000)).toBeNull();
  });

  it("again and again while a call goes on, and no longer", async () => {
    const asked = vi.fn(() => token(Date.now() / 1_000, Date.now() / 1_000 + 600));
    const refresh = vi.fn(() => Promise.resolve());
    const renewal = new TokenRenewal(asked, refresh);
    await (renewal.token as () => Promise<string>)();
    renewal.start();
    await vi.advanceTimersByTimeAsync(3 * 540_000);
    expect(refresh).toHaveBeenCalledTimes(3);
    renewal.stop();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(refresh).toHaveBeenCalledTimes(3);
  });

  it("not with one that is the same, and not after its end", async () => {
    const same = token(NOW, NOW + 600);
    const refresh = vi.fn(() => Promise.resolve());
    const asked = vi.fn(() => same);
    const renewal = new TokenRenewal(asked, refresh);
    await (renewal.token as () => Promise<string>)();
    renewal.start();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(refresh).not.toHaveBeenCalled();
    expect(asked.mock.calls.length).toBeLessThan(8);
    const fixed = new TokenRenewal(same, refresh);
    expect(fixed.token).toBeNull();
    fixed.start();
    expect(vi.getTimerCount()).toBe(0);
  });
});
