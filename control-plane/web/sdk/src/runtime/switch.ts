/**
 * Something that is on or off and takes a while to become so: whoever asks last is right. Changes run one at a
 * time, and one that was overtaken gives up as soon as it can.
 */
export class Switch {
  #wanted = false;
  #isAbandoned = false;
  #work: Promise<boolean> | null = null;

  /**
   * `turnOn` gives whether it is on afterwards, and asks `isWanted` before each step that others would notice.
   */
  constructor(
    private readonly turnOn: (isWanted: () => boolean) => Promise<boolean>,
    private readonly turnOff: () => Promise<void>,
  ) {}

  /** A change to on is under way and still wanted. */
  get isTurningOn(): boolean {
    return this.#work !== null && this.#wanted;
  }

  /** Whether it is on once everything that was asked for is done. Fails when it cannot be turned on. */
  set(on: boolean): Promise<boolean> {
    this.#wanted = on;
    const work = (this.#work ??= this.#settle());
    // Who turns it off meanwhile does not care why it did not come on.
    return on ? work : work.catch(() => false);
  }

  /** What is under way gives up, and nothing is turned off any more: somebody else did. */
  abandon(): void {
    this.#wanted = false;
    this.#isAbandoned = true;
  }

  async #settle(): Promise<boolean> {
    for (;;) {
      const on = this.#wanted;
      let [isOn, error] = [false, null as unknown];
      try {
        if (this.#isAbandoned) await undefined;
        else if (on) isOn = await this.turnOn(() => this.#wanted);
        else await this.turnOff();
      } catch (thrown) {
        error = thrown ?? new Error("failed");
      }
      if (on !== this.#wanted && !this.#isAbandoned) continue;
      // Together with the last look at what is wanted, so that no wish falls in between.
      this.#work = null;
      if (error === null || this.#isAbandoned) return isOn && !this.#isAbandoned;
      this.#wanted = false;
      throw error;
    }
  }
}
