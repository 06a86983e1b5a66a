/**
 * The connections of one forward: how many there are, their common end, and who hears of one that failed. A failure
 * of one never ends the forward.
 */
export class ForwardConnections {
  readonly #max: number;
  readonly #onError: (error: unknown) => void;
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #room: PromiseWithResolvers<void> | undefined;

  constructor(max: number, onError: (error: unknown) => void) {
    this.#max = max;
    this.#onError = onError;
  }

  get count(): number {
    return this.#running.size;
  }

  get hasRoom(): boolean {
    return this.#running.size < this.#max && !this.#stop.signal.aborted;
  }

  /** Resolves when one more may start, or all are ended. */
  async room(): Promise<void> {
    while (this.#running.size >= this.#max && !this.#stop.signal.aborted) {
      await (this.#room ??= Promise.withResolvers<void>()).promise;
    }
  }

  /** Runs one connection; `signal` tells it to end at once. */
  run(connection: (signal: AbortSignal) => Promise<void>): void {
    const running = connection(this.#stop.signal).catch((error) => {
      if (!this.#stop.signal.aborted) this.#onError(error);
    }).then(() => {
      this.#running.delete(running);
      this.#leaveRoom();
    });
    this.#running.add(running);
  }

  /** Ends all and resolves when they are gone; none starts afterwards. */
  async end(): Promise<void> {
    this.#stop.abort();
    this.#leaveRoom();
    await Promise.all(this.#running);
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  #leaveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
