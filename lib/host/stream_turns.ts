/** A core that does nothing else moves three times as much. Less may be for want of one: then this process wakes late. */
const FAST_BYTES_PER_MS = 150_000;
/** Streams this slow are held up by a link, a disk or the host, however busy the machine. */
const SLOW_BYTES_PER_MS = 32_000;
/** Later than this, something else had the cores; so many times in a row in time, and there is one to spare. */
const LATE_MS = 2;
const IN_TIME = 3;
/** A stream is judged when it has run for so long: before, `ssh` starts. */
const JUDGED_MS = 300;
/** How often those that run are looked at while others wait. */
const LOOK_MS = 50;

/** One stream's turn. */
export interface StreamTurn extends Disposable {
  /** It has moved so many bytes in all. */
  moved(bytes: number): void;
  /** It needs no core any more. Idempotent. */
  [Symbol.dispose](): void;
}

interface Running {
  readonly since: number;
  bytes: number;
}

export interface StreamTurnsOptions {
  /** Streams at once while they run fast; default: the cores of this machine less one, at least 1. */
  readonly most?: number;
  /** Milliseconds. */
  readonly now?: () => number;
}

/**
 * Whose stream may run. A stream that nothing else holds up takes a core here for its cryptography: more of them than
 * cores move nothing sooner, and every short command waits behind them all. So one core stays free. Streams that are
 * slow have something else to wait for, and there may be any number of those.
 */
export class StreamTurns {
  readonly #most: number;
  readonly #now: () => number;
  readonly #running = new Set<Running>();
  readonly #waiting = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #dueAt = 0;
  #inTime = 0;

  constructor(options: StreamTurnsOptions = {}) {
    this.#most = options.most ?? Math.max(1, navigator.hardwareConcurrency - 1);
    this.#now = options.now ?? (() => performance.now());
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Waits for a turn; rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<StreamTurn> {
    signal.throwIfAborted();
    if (this.#running.size >= this.#most || this.#waiting.size > 0) await this.#wait(signal);
    const running: Running = { since: this.#now(), bytes: 0 };
    this.#running.add(running);
    return {
      moved: (bytes) => void (running.bytes = bytes),
      [Symbol.dispose]: () => {
        if (this.#running.delete(running) && this.#running.size < this.#most) this.#admit(1);
      },
    };
  }

  /**
   * Lets as many more run as do so now, should those be slow.
   *
   * @param lateMs how much later than it was meant to this is called
   */
  look(lateMs = 0): void {
    this.#inTime = lateMs < LATE_MS ? this.#inTime + 1 : 0;
    const now = this.#now();
    let [bytes, ms] = [0, 0];
    for (const { since, bytes: moved } of this.#running) {
      if (now - since < JUDGED_MS) return; // one has just come: what it changes is not seen yet
      bytes += moved;
      ms += now - since;
    }
    const mostPerMs = this.#inTime >= IN_TIME ? FAST_BYTES_PER_MS : SLOW_BYTES_PER_MS;
    if (bytes < mostPerMs * ms) this.#admit(Math.max(1, this.#running.size));
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => {
      this.#waiting.delete(resolve);
      this.#watch();
      reject(signal.reason);
    };
    this.#waiting.add(resolve);
    this.#watch();
    signal.addEventListener("abort", abort, { once: true });
    await promise;
    signal.removeEventListener("abort", abort);
  }

  #admit(count: number): void {
    for (const admitted of [...this.#waiting].slice(0, count)) {
      this.#waiting.delete(admitted);
      admitted();
    }
    this.#watch();
  }

  #watch(): void {
    if (this.#waiting.size > 0 && this.#timer === undefined) {
      this.#dueAt = performance.now() + LOOK_MS;
      this.#timer = setInterval(() => {
        const now = performance.now();
        const lateMs = now - this.#dueAt;
        this.#dueAt = now + LOOK_MS;
        this.look(lateMs);
      }, LOOK_MS);
    } else if (this.#waiting.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

/** Those of this process. */
export const streamTurns: StreamTurns = new StreamTurns();
