/** After a refusal, one session more is tried again so much later; twice as late after each refusal. */
export const RISE_AFTER_MS = 60_000;

const LONGEST_MS = 60 * 60_000;

export interface SessionLimitOptions {
  /**
   * Whether a learned limit is tried again later: what was refused may have been early (sshd counts a session until it
   * has reaped the child), or beside sessions that were not ours. Default true; false on masters that a refusal may end.
   */
  readonly rises?: boolean;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** How many sessions the server lets be open at a time: told at first, then learned from what it refuses and grants. */
export class SessionLimit {
  readonly #most: number;
  readonly #rises: boolean;
  readonly #now: () => number;
  #learned: number;
  /** The most that were ever open at once: a refusal with fewer is only early. */
  #proven = 0;
  #riseAt = Infinity;
  #waitMs = RISE_AFTER_MS;

  constructor(most: number, options: SessionLimitOptions = {}) {
    this.#most = this.#learned = Math.max(1, most);
    this.#rises = options.rises ?? true;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Sessions at a time. */
  get value(): number {
    return this.#now() >= this.#riseAt ? this.#learned + 1 : this.#learned;
  }

  /** So many are open now. */
  opened(count: number): void {
    this.#proven = Math.max(this.#proven, count);
    if (count <= this.#learned) return;
    this.#learned = count;
    this.#waitMs = RISE_AFTER_MS;
    this.#riseAt = count < this.#most ? this.#now() : Infinity; // it was not the limit: nor is this, it may be
  }

  /** The server has refused one beside so many that are open. */
  refused(count: number): void {
    if (count === 0 || count < this.#proven) return;
    this.#learned = Math.min(this.#most, count);
    if (!this.#rises || this.#learned >= this.#most) return;
    this.#riseAt = this.#now() + this.#waitMs;
    this.#waitMs = Math.min(LONGEST_MS, this.#waitMs * 2);
  }
}
