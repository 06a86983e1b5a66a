/**
 * What may be under way at once: so many requests, and so many bytes of file data. Whoever asks first is served
 * first, so a large file cannot starve small ones.
 */
export class SftpBudget {
  readonly #maxRequests: number;
  #maxBytes: number;
  #requests = 0;
  #bytes = 0;
  #ended: { readonly reason: unknown } | undefined;
  readonly #waiting = new Set<{ bytes: number; admit: () => void; refuse: (reason: unknown) => void }>();

  constructor(maxRequests: number, maxBytes: number) {
    this.#maxRequests = maxRequests;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that may be under way. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Lets more bytes be under way; never fewer. */
  widen(maxBytes: number): void {
    this.#maxBytes = Math.max(this.#maxBytes, maxBytes);
    this.#admit();
  }

  /** Takes room if there is some at once and nobody waits for it. */
  tryAcquire(bytes: number): boolean {
    if (this.#ended || this.#waiting.size > 0 || !this.#fits(bytes)) return false;
    this.#take(bytes);
    return true;
  }

  /** Waits for room; rejects with the signal's reason, or with the one given to {@linkcode end}. */
  async acquire(bytes: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#ended) throw this.#ended.reason;
    if (this.tryAcquire(bytes)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry = { bytes, admit: resolve, refuse: reject };
    const onAbort = () => {
      this.#waiting.delete(entry);
      reject(signal!.reason);
      this.#admit(); // the one behind may be small enough
    };
    this.#waiting.add(entry);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  release(bytes: number): void {
    this.#requests--;
    this.#bytes -= bytes;
    this.#admit();
  }

  /** Refuses everybody who waits, and whoever comes later. */
  end(reason: unknown): void {
    this.#ended ??= { reason };
    for (const entry of this.#waiting) entry.refuse(reason);
    this.#waiting.clear();
  }

  /** One request larger than the whole budget is let through alone, or it would wait for ever. */
  #fits(bytes: number): boolean {
    return this.#requests < this.#maxRequests && (this.#bytes + bytes <= this.#maxBytes || this.#bytes === 0);
  }

  #take(bytes: number): void {
    this.#requests++;
    this.#bytes += bytes;
  }

  #admit(): void {
    for (const entry of this.#waiting) {
      if (!this.#fits(entry.bytes)) return;
      this.#waiting.delete(entry);
      this.#take(entry.bytes);
      entry.admit();
    }
  }
}
