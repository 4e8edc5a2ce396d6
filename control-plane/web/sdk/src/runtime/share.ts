/** `next`, with every part that equals `before`'s replaced by that very object; `before` itself if all do. */
export function share<T>(before: T, next: T): T {
  if (Object.is(before, next) || !isPlain(before) || !isPlain(next)) return next;
  const [old, fresh] = [before as Record<string, unknown>, next as Record<string, unknown>];
  if (Array.isArray(old) !== Array.isArray(fresh)) return next;
  const names = Object.keys(fresh);
  let isSame = names.length === Object.keys(old).length;
  for (const name of names) {
    fresh[name] = share(old[name], fresh[name]);
    isSame &&= name in old && Object.is(old[name], fresh[name]);
  }
  return isSame ? before : next;
}

/** Tracks and other objects of the browser are themselves, whatever they look like. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype;
}
