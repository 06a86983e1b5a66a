/**
 * Bytes that arrive on a channel, as a `ReadableStream` whose backpressure is the channel window: a chunk counts as
 * consumed, and its window is given back, only when the reader takes it.
 *
 * Cancelling the stream does not stop the peer (SSH cannot close one direction of what it receives): what still
 * comes is dropped as it comes, so that the remote command is not stuck writing to nobody.
 */
export class ByteInbox {
  readonly #consumed: (bytes: number) => void;
  readonly #chunks: Uint8Array[] = [];
  #stream: ReadableStream<Uint8Array> | undefined;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #wanted: (() => void) | undefined;
  /** Wakes a loop that waits for a chunk. */
  #wake: (() => void) | undefined;
  #looping = false;
  #ended = false;
  #cancelled = false;
  #failure: { readonly error: unknown } | undefined;

  /** @param consumed called with the number of bytes that a reader has taken. */
  constructor(consumed: (bytes: number) => void) {
    this.#consumed = consumed;
  }

  /** Made when it is first asked for: a stream is dearer than a short command. */
  get stream(): ReadableStream<Uint8Array> {
    return this.#stream ??= new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#cancel(),
    }, { highWaterMark: 0 });
  }

  /**
   * The same bytes for one loop, without a stream, which costs more than all else of a short command. Either this or
   * {@linkcode stream}; a loop that is left early cancels.
   */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#looping = true;
    try {
      while (!this.#cancelled) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#consumed(chunk.length);
          yield chunk;
        } else if (this.#ended) {
          if (this.#failure) throw this.#failure.error;
          return;
        } else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      this.#cancel();
    }
  }

  #cancel(): void {
    this.#cancelled = true;
    for (const chunk of this.#chunks.splice(0)) this.#consumed(chunk.length);
    this.#wake?.();
  }

  /** Whether somebody reads it now. */
  get isRead(): boolean {
    return this.#looping || this.#stream?.locked === true;
  }

  push(chunk: Uint8Array): void {
    if (this.#cancelled) return this.#consumed(chunk.length);
    this.#chunks.push(chunk);
    this.#serve();
  }

  /** No more bytes: the stream closes after what is queued. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#serve();
  }

  /** The stream fails after what is queued has been read. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure = { error };
    this.#ended = true;
    this.#serve();
  }

  #pull(): Promise<void> | void {
    if (this.#deliver()) return;
    return new Promise((resolve) => {
      this.#wanted = resolve;
    });
  }

  #serve(): void {
    if (this.#wake !== undefined) {
      const wake = this.#wake;
      this.#wake = undefined;
      return wake();
    }
    if (this.#wanted === undefined || !this.#deliver()) return;
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted();
  }

  /** Hands over one chunk or the end; false when there is neither yet. */
  #deliver(): boolean {
    if (this.#cancelled) return true;
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#controller.enqueue(chunk);
      this.#consumed(chunk.length);
      return true;
    }
    if (!this.#ended) return false;
    if (this.#failure) this.#controller.error(this.#failure.error);
    else this.#controller.close();
    return true;
  }
}
