export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** `promise`, or `fallback` when it takes longer than `ms` or fails. */
export function within<T, F>(ms: number, promise: Promise<T>, fallback: F): Promise<T | F> {
  return Promise.race([promise.catch(() => fallback), sleep(ms).then(() => fallback)]);
}
