export interface ListenOptions {
  /** Ends the listening when it is aborted. */
  signal?: AbortSignal;
}

/** Typed events, without a dependency. */
export class Emitter<Events extends object> {
  #handlers = new Map<keyof Events, Set<(event: never) => void>>();

  /** Gives back how to stop listening. */
  on<Name extends keyof Events>(
    name: Name,
    handler: (event: Events[Name]) => void,
    { signal }: ListenOptions = {},
  ): () => void {
    const off = () => this.off(name, handler);
    if (signal?.aborted) return off;
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    signal?.addEventListener("abort", off, { once: true });
    return () => {
      signal?.removeEventListener("abort", off);
      off();
    };
  }

  /** For the next such event only. Gives back how to stop listening before it. */
  once<Name extends keyof Events>(
    name: Name,
    handler: (event: Events[Name]) => void,
    options: ListenOptions = {},
  ): () => void {
    const off = this.on(
      name,
      (event) => {
        off();
        handler(event);
      },
      options,
    );
    return off;
  }

  /** Ends what `on` began with the same handler. */
  off<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): void {
    this.#handlers.get(name)?.delete(handler);
  }

  protected emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      // What a listener throws is the application's and must not end a call.
      try {
        (handler as (event: Events[Name]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
