/** Which counters of one sender's key were seen: the highest, and the `SPAN` before it. */
export class ReplayWindow {
  static readonly SPAN = 1024;
  #highest: bigint;
  /** Bit `ctr % SPAN`. */
  #seen = new Uint8Array(ReplayWindow.SPAN / 8);

  /** `highest`: of those before, none of which may come again; -1: there were none. */
  constructor(highest = -1n) {
    this.#highest = highest;
    if (highest >= 0n) this.#seen.fill(0xff);
  }

  get highest(): bigint {
    return this.#highest;
  }

  /** Whether a frame of this counter may still come. */
  mayTake(ctr: bigint): boolean {
    if (ctr > this.#highest) return true;
    return this.#highest - ctr < BigInt(ReplayWindow.SPAN) && !this.#bit(ctr);
  }

  /** Notes an authentic frame's counter; false: it was there, or is too old. */
  take(ctr: bigint): boolean {
    if (!this.mayTake(ctr)) return false;
    if (ctr > this.#highest) {
      const passed = ctr - this.#highest;
      if (passed >= BigInt(ReplayWindow.SPAN)) this.#seen.fill(0);
      else for (let skipped = this.#highest + 1n; skipped < ctr; skipped += 1n) this.#set(skipped, false);
      this.#highest = ctr;
    }
    this.#set(ctr, true);
    return true;
  }

  #bit(ctr: bigint): boolean {
    const index = Number(ctr % BigInt(ReplayWindow.SPAN));
    return ((this.#seen[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  #set(ctr: bigint, on: boolean): void {
    const index = Number(ctr % BigInt(ReplayWindow.SPAN));
    const mask = 1 << (index & 7);
    const before = this.#seen[index >> 3] ?? 0;
    this.#seen[index >> 3] = on ? before | mask : before & ~mask;
  }
}
