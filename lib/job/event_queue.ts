/**
 * A queue between a run and whoever reads its events: {@linkcode push} answers with a promise that waits while the
 * reader is far behind, so that a fast host cannot fill the memory of a slow reader. Single reader.
 */
export class EventQueue<T> {
  #items: T[] = [];
  #limit: number;
  #ended = false;
  #discarding = false;
  #error: { readonly value: unknown } | undefined;
  #readable: (() => void) | undefined;
  #writable: (() => void)[] = [];

  constructor(limit = 256) {
    this.#limit = limit;
  }

  /** Adds an item; resolves at once unless the reader is more than the limit behind. */
  push(item: T): Promise<void> {
    if (this.#discarding || this.#ended) return Promise.resolve();
    this.#items.push(item);
    this.#wakeReader();
    if (this.#items.length < this.#limit) return Promise.resolve();
    return new Promise((resolve) => this.#writable.push(resolve));
  }

  /** No further items; the reader sees what is queued, then the end or the error. */
  end(error?: { readonly value: unknown }): void {
    this.#ended = true;
    this.#error = error;
    this.#wakeReader();
    this.#wakeWriters();
  }

  /** Nobody reads any more: drops what is queued and what comes. */
  discard(): void {
    this.#discarding = true;
    this.#items = [];
    this.#wakeReader();
    this.#wakeWriters();
  }

  /** The next items, all there are, in order; undefined at the end. */
  async take(): Promise<readonly T[] | undefined> {
    while (this.#items.length === 0) {
      if (this.#error) throw this.#error.value;
      if (this.#ended || this.#discarding) return undefined;
      await new Promise<void>((resolve) => this.#readable = resolve);
    }
    const items = this.#items;
    this.#items = [];
    this.#wakeWriters();
    return items;
  }

  #wakeReader(): void {
    this.#readable?.();
    this.#readable = undefined;
  }

  #wakeWriters(): void {
    const waiting = this.#writable;
    this.#writable = [];
    for (const wake of waiting) wake();
  }
}
