/** A link that was silent for this long is asked for a sign of life before a request is written to it. */
export const QUIET_MS = 15_000;

/** How far the wall clock may run ahead of the steady one: more, and the machine was asleep. */
const CLOCK_JUMP_MS = 5_000;

export interface QuietOptions {
  /** Milliseconds of silence after which a link counts as quiet; default {@linkcode QUIET_MS}. */
  readonly quietMs?: number;
  /** For tests: what the clocks say. */
  readonly clocks?: { readonly steady: () => number; readonly wall: () => number };
}

/**
 * Whether a link may have died without a word: it was silent for long, or the clocks have drifted apart, which they do
 * when a machine sleeps. (The steady clock stands still meanwhile, so silence alone would not tell.)
 */
export class Quiet {
  readonly steady: () => number;
  readonly quietMs: number;
  readonly #wall: () => number;
  readonly #lastReceivedAt: () => number;
  #offsetMs: number;

  /** `lastReceivedAt`: when the peer was last heard, on the steady clock. */
  constructor(lastReceivedAt: () => number, options: QuietOptions = {}) {
    this.#lastReceivedAt = lastReceivedAt;
    this.steady = options.clocks?.steady ?? (() => performance.now());
    this.#wall = options.clocks?.wall ?? (() => Date.now());
    this.quietMs = options.quietMs ?? QUIET_MS;
    this.#offsetMs = this.#wall() - this.steady();
  }

  get is(): boolean {
    const jumped = Math.abs(this.#wall() - this.steady() - this.#offsetMs) > CLOCK_JUMP_MS;
    return jumped || this.steady() - this.#lastReceivedAt() >= this.quietMs;
  }

  /** It answered after all: the clocks count from here. */
  answered(): void {
    this.#offsetMs = this.#wall() - this.steady();
  }
}
