import { expect, it, vi } from "vitest";
import { Emitter } from "../src/runtime/emitter";

class Bell extends Emitter<{ ring: number }> {
  ring(times: number) {
    this.emit("ring", times);
  }
}

it("on, off, once and AbortSignal say who listens", () => {
  const bell = new Bell();
  const [kept, removed, first, aborted, late] = [vi.fn(), vi.fn(), vi.fn(), vi.fn(), vi.fn()];
  const controller = new AbortController();
  bell.on("ring", kept);
  bell.on("ring", removed);
  bell.once("ring", first);
  bell.on("ring", aborted, { signal: controller.signal });
  bell.ring(1);
  bell.off("ring", removed);
  controller.abort();
  bell.on("ring", late, { signal: controller.signal });
  bell.ring(2);
  expect(kept.mock.calls.flat()).toEqual([1, 2]);
  for (const once of [removed, first, aborted]) expect(once.mock.calls.flat()).toEqual([1]);
  expect(late).not.toHaveBeenCalled();
});
