import { setImmediate } from "node:timers";

/** Contents of larger files are always waited for. */
export const SMALL_BYTES = 64 * 1024;
/** How long this process does nothing but look at files before others get their turn, in milliseconds. */
const TURN_MS = 5;
/** What one look at a small file may take, on average, on a disk that is not waited for; a network's takes longer. */
const LOOK_MS = 0.25;
/** A busy machine, or a disk that has to be woken, is given this much beside. */
const GRACE_MS = 20;

/**
 * Small files are looked at, read and written without waiting, as long as the disk answers at once: asking another
 * thread takes ten times as long as the system call that it is asked for. Between turns the others of this process get
 * theirs. A disk that keeps us waiting (a network's) is asked for many things together instead, and waited for.
 */
export class LocalTurn {
  readonly #now: () => number;
  #since: number;
  #looks = 0;
  #tookMs = 0;

  /** `now` tells milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** Whether the disk answers at once. */
  get isFast(): boolean {
    return this.#tookMs < GRACE_MS || this.#tookMs < this.#looks * LOOK_MS;
  }

  /** Does one piece of work with the disk, and sees how long it takes; what it throws is thrown. */
  look<T>(work: () => T): T {
    const startedAt = this.#now();
    try {
      return work();
    } finally {
      this.#looks++;
      this.#tookMs += this.#now() - startedAt;
    }
  }

  /** A pause for the others when the turn is over; nothing to wait for while it is not. */
  pause(): Promise<void> | undefined {
    return this.#now() - this.#since < TURN_MS ? undefined : this.rest();
  }

  /** Gives the others their turn now. */
  async rest(): Promise<void> {
    // A timer of 0 ms takes more than one.
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = this.#now();
  }
}

/** What is at a path, symlinks not followed; undefined for nothing, and for what cannot be looked at. */
export function lookNow(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
