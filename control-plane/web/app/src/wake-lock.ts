/** Keeps a phone's screen on until the returned function is called; browsers without it go on without. */
export function keepAwake(): () => void {
  let lock: WakeLockSentinel | null = null;
  let isOver = false;
  const take = async () => {
    if (document.visibilityState !== "visible" || isOver) return;
    const taken = await navigator.wakeLock?.request("screen").catch(() => null);
    if (isOver) void taken?.release();
    else lock = taken ?? null;
  };
  // A page that is hidden loses it.
  const onVisible = () => void take();
  document.addEventListener("visibilitychange", onVisible);
  void take();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", onVisible);
    void lock?.release();
  };
}
