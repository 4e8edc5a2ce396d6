import { describe, expect, it } from "vitest";
import { Switch } from "../src/runtime/switch";

/** A camera whose permission dialog is open until `answer`. */
function camera() {
  const log: string[] = [];
  let isOn = false;
  let answer: (error?: Error) => void = () => undefined;
  const power = new Switch(
    async (isWanted) => {
      log.push("ask");
      await new Promise<void>((resolve, reject) => {
        answer = (error) => (error ? reject(error) : resolve());
      });
      if (!isWanted()) {
        log.push("gave up");
        return false;
      }
      log.push("on");
      return (isOn = true);
    },
    async () => {
      log.push("off");
      isOn = false;
    },
  );
  return { power, log, isOn: () => isOn, answer: (error?: Error) => answer(error) };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

describe("setVideo and its like cannot race", () => {
  it("asks once, however often it is turned on", async () => {
    const { power, log, answer } = camera();
    const all = [power.set(true), power.set(true), power.set(true)];
    answer();
    expect(await Promise.all(all)).toEqual([true, true, true]);
    expect(log).toEqual(["ask", "on"]);
  });

  it("is off when it was turned off while the browser asked the user", async () => {
    const { power, log, answer, isOn } = camera();
    const [on, off] = [power.set(true), power.set(false)];
    expect(power.isTurningOn).toBe(false);
    answer();
    expect(await Promise.all([on, off])).toEqual([false, false]);
    expect(isOn()).toBe(false);
    expect(log).toEqual(["ask", "gave up", "off"]);
  });

  it("is on when that was the last wish, without a second question", async () => {
    const { power, log, answer } = camera();
    const all = [power.set(true), power.set(false), power.set(true)];
    answer();
    expect(await Promise.all(all)).toEqual([true, true, true]);
    expect(log).toEqual(["ask", "on"]);
  });

  it("tells whoever turned it on why it failed, and nobody who turned it off", async () => {
    const { power, answer } = camera();
    const [on, off] = [power.set(true), power.set(false)];
    answer(new Error("denied"));
    expect(await Promise.all([on, off])).toEqual([false, false]);
    const again = power.set(true);
    await turn();
    answer(new Error("denied"));
    await expect(again).rejects.toThrow("denied");
    expect(power.isTurningOn).toBe(false);
  });
});
