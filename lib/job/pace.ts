/**
 * Keeps the hosts of a batch together, for `order: linear`: none begins a step before all have done the one before.
 * One for each batch; every host that was begun has to leave in the end.
 */
export class Pace {
  readonly #slots: number;
  readonly #stopReason: () => string | undefined;
  #members: number;
  #busy = 0;
  #queue: (() => void)[] = [];
  #arrived: (() => void)[] = [];

  /**
   * @param members Hosts of the batch.
   * @param slots Hosts that do something at once.
   * @param stopReason Why no further step is begun; undefined: go on.
   */
  constructor(members: number, slots: number, stopReason: () => string | undefined) {
    this.#members = members;
    this.#slots = slots;
    this.#stopReason = stopReason;
  }

  /** Waits until all hosts that are still there have come here; gives the reason why none goes on. */
  async together(): Promise<string | undefined> {
    await new Promise<void>((resolve) => {
      this.#arrived.push(resolve);
      this.#open();
    });
    return this.#stopReason();
  }

  /** Does something when it is this host's turn. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    while (this.#busy >= this.#slots) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
      this.#queue.shift()?.();
    }
  }

  /** A host is done: the others no longer wait for it. */
  leave(): void {
    this.#members--;
    this.#open();
  }

  #open(): void {
    if (this.#arrived.length < this.#members) return;
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const go of arrived) go();
  }
}
