const MAX_TIMER_MS = 0x7fffffff;

/**
 * The linger time of a master: it starts when the last session has left, is broken off by a new one, and is not
 * touched by anybody who merely looks (`check`).
 */
export class Linger {
  readonly #lingerMs: number;
  readonly #onExpired: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lingersUntil: number | undefined;
  #stopped = false;

  /** @param lingerMs milliseconds; `Infinity` lingers for ever. */
  constructor(lingerMs: number, onExpired: () => void) {
    this.#lingerMs = lingerMs;
    this.#onExpired = onExpired;
  }

  /** When it expires, in milliseconds since the epoch; undefined while something holds it, or when it never does. */
  get until(): number | undefined {
    return this.#lingersUntil;
  }

  /** Says whether something holds the master now. */
  update(held: boolean): void {
    if (this.#stopped) return;
    if (held) return this.#clear();
    if (this.#timer !== undefined || this.#lingerMs === Infinity) return;
    this.#lingersUntil = Date.now() + this.#lingerMs;
    this.#wait(this.#lingerMs);
  }

  /** Timers hold 24.8 days at most: a longer time takes several. */
  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      if (ms > MAX_TIMER_MS) return this.#wait(ms - MAX_TIMER_MS);
      this.#stopped = true;
      this.#onExpired();
    }, Math.min(ms, MAX_TIMER_MS));
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lingersUntil = undefined;
  }
}
