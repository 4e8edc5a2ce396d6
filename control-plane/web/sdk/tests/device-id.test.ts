import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { deviceIdOfProfile, deviceIdOfTab } from "../src/runtime/device-id";

class FakeStorage {
  values = new Map<string, string>();
  getItem = (key: string) => this.values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.values.set(key, value);
}
const another = (name: "localStorage" | "sessionStorage") => vi.stubGlobal(name, new FakeStorage());

beforeEach(() => {
  another("localStorage");
  another("sessionStorage");
});
afterEach(() => void vi.unstubAllGlobals());

it("a browser profile keeps its deviceId, and another profile has another one", () => {
  const mine = deviceIdOfProfile();
  expect(mine).toMatch(/^web-[0-9a-f]{32}$/);
  another("sessionStorage");
  expect(deviceIdOfProfile()).toBe(mine);
  another("localStorage");
  expect(deviceIdOfProfile()).not.toBe(mine);
});

it("a tab keeps its own through a reload, and the next tab has another one", () => {
  const tab = deviceIdOfTab();
  expect(deviceIdOfTab()).toBe(tab);
  expect(tab).not.toBe(deviceIdOfProfile());
  another("sessionStorage");
  expect(deviceIdOfTab()).not.toBe(tab);
});

it("where nothing can be stored it is the same until the page is left", () => {
  const refuses = { getItem: () => null, setItem: () => { throw new DOMException("", "SecurityError"); } };
  vi.stubGlobal("localStorage", refuses);
  expect(deviceIdOfProfile()).toMatch(/^web-[0-9a-f]{32}$/);
  expect(deviceIdOfProfile()).toBe(deviceIdOfProfile());
});
