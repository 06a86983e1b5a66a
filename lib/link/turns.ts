/**
 * Counts round trips from one end of a connection, by cause and effect: what comes in can only be an answer
 * to what went out a round trip before it. Exact where the link's round trip is longer than the peers take to
 * think; on a loopback, where everything could be an answer to everything, an upper bound.
 */
export class TurnCounter {
  readonly #now: () => number;
  readonly #events: { readonly atMs: number; readonly kind: "write" | "read" }[] = [];

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  wrote(): void {
    this.#events.push({ atMs: this.#now(), kind: "write" });
  }

  read(): void {
    this.#events.push({ atMs: this.#now(), kind: "read" });
  }

  /** A moment, to count from or to. */
  get mark(): number {
    return this.#events.length;
  }

  /**
   * Round trips that had to follow one another between two marks, when one takes `rttMs` at least. A tenth is
   * allowed for clocks. What was written before `from` was answered before it, or is nobody's round trip.
   */
  between(from: number, to: number, rttMs: number): number {
    const written: { readonly atMs: number; readonly depth: number }[] = [];
    let depth = 0;
    for (const { atMs, kind } of this.#events.slice(from, to)) {
      if (kind === "write") {
        if (written.at(-1)?.depth !== depth + 1) written.push({ atMs, depth: depth + 1 });
      } else {
        const cause = written.findLast((one) => one.atMs <= atMs - rttMs * 0.9);
        if (cause !== undefined) depth = Math.max(depth, cause.depth);
      }
    }
    return depth;
  }
}
