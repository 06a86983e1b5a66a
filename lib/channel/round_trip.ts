/** A shortest round trip is believed for so long; then the pipes of the link make room for a fresh look. */
const BELIEVED_MS = 10_000;

/** So much more than the shortest is still the shortest: timers and processes are not exact. */
const SAME_FACTOR = 1.02;
const SAME_MS = 0.3;

/**
 * What the channels of one connection know together about the way to the server: its shortest round trip, seen on any
 * answer to a channel request, and how much one channel last had under way where the way was full.
 */
export class RoundTrip {
  readonly now: () => number;
  /** Bytes that last filled the way without a queue worth mentioning; undefined: never full so far. */
  pipeBytes: number | undefined;
  #minMs: number | undefined;
  #seenAtMs = -Infinity;

  /** @param now a clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** The shortest lately, in milliseconds: no queue was in it. */
  get minMs(): number | undefined {
    return this.#minMs;
  }

  /** Whether the shortest was seen so long ago that the way may have become longer. */
  get stale(): boolean {
    return this.now() - this.#seenAtMs > BELIEVED_MS;
  }

  /** An answer came after so long. */
  seen(ms: number): void {
    if (this.#minMs !== undefined && ms > this.#minMs * SAME_FACTOR + SAME_MS) return;
    this.#minMs = Math.min(ms, this.#minMs ?? ms);
    this.#seenAtMs = this.now();
  }

  /** An answer came after so long while hardly anything was under way: from now on this is the shortest. */
  renew(ms: number): void {
    this.#minMs = ms;
    this.#seenAtMs = this.now();
  }
}
