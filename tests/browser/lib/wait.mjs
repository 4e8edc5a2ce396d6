/** Waiting with an end. */
import { setTimeout as sleep } from "node:timers/promises";

export { sleep };

/** Asks until the answer is not null or undefined; after `ms` it fails, naming what it waited for. */
export async function until(what, ms, ask) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined) return answer;
    if (Date.now() > end)
      throw new Error(`waited ${ms} ms in vain: ${typeof what === "function" ? await what() : what}`);
    await sleep(60);
  }
}

/** Fails when a promise takes longer than `ms`. */
export async function within(what, ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
