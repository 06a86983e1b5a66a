import type { Clock, Timer } from "../../lib/emulator/clock.ts";

/** Time that a test moves by hand. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; fire: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  setTimer(atMs: number, fire: () => void): Timer {
    const timer = { atMs, fire };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves on to `toMs`, stopping at each timer on the way, earliest first. */
  advanceTo(toMs: number): void {
    for (;;) {
      const next = this.#timers.reduce<{ atMs: number; fire: () => void } | undefined>(
        (first, timer) => timer.atMs <= toMs && (!first || timer.atMs < first.atMs) ? timer : first,
        undefined,
      );
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fire();
    }
    this.#nowMs = Math.max(this.#nowMs, toMs);
  }
}
