import { clearImmediate, setImmediate } from "node:timers";

/** Time for the emulator; tests give one that they move by hand. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /**
   * Calls `fire` once when {@linkcode now} has reached `atMs`, never before and never from within this call.
   * `urgent`: somebody waits for exactly this moment; otherwise a millisecond more does no harm.
   */
  setTimer(atMs: number, fire: () => void, urgent?: boolean): Timer;
}

/** A timer that is set. */
export interface Timer {
  /** Idempotent; does nothing when it has fired. */
  cancel(): void;
}

/** What is left to the event loop's own turns rather than to setTimeout. */
const SPIN_MS = 1.4;

/**
 * The machine's own time. setTimeout takes whole milliseconds and then fires 0.3 to 1.4 ms late (measured, Deno 2.9.6),
 * which on a round trip of 5 ms is half of it. So an urgent timer sleeps for all but the last 1.4 ms, and waits that
 * out in turns of the event loop (5 µs each; other work goes on in between). An echo over an emulated round trip of 5 ms
 * then takes 5.25 ms, over 50 ms 50.5. Deadlines are absolute, so that lateness never adds up.
 */
export const realClock: Clock = {
  now: () => performance.now(),
  setTimer(atMs, fire, urgent = false) {
    let timeout: ReturnType<typeof setTimeout> | undefined;
    let immediate: ReturnType<typeof setImmediate> | undefined;
    const wait = () => {
      const leftMs = atMs - performance.now();
      if (leftMs <= 0 && (timeout ?? immediate) !== undefined) return fire();
      const sleepMs = Math.floor(leftMs - (urgent ? SPIN_MS : 0));
      if (sleepMs > 0 || (!urgent && leftMs > 0)) timeout = setTimeout(wait, Math.max(sleepMs, 0));
      else immediate = setImmediate(wait);
    };
    wait();
    return {
      cancel() {
        clearTimeout(timeout);
        if (immediate !== undefined) clearImmediate(immediate);
      },
    };
  },
};

/** Resolves when `clock` has reached `atMs`, or at once with false when `signal` ends the wait. */
export function waitUntil(clock: Clock, atMs: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const abort = () => {
      timer.cancel();
      resolve(false);
    };
    const timer = clock.setTimer(atMs, () => {
      signal.removeEventListener("abort", abort);
      resolve(true);
    }, true);
    signal.addEventListener("abort", abort, { once: true });
  });
}
