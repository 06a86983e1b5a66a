import type { CloseInfo, Link } from "../channel/link.ts";
import { concat } from "../base/bytes.ts";
import { CarpoolError } from "../base/errors.ts";
import { MuxFrames } from "../wire/mux.ts";

/** Read in slabs: payloads are views of them, so that nothing is copied on the way in. */
const SLAB_BYTES = 256 * 1024;
const MIN_READ_BYTES = 16 * 1024;

/** Below this many bytes not yet written, those who wait for room go on. */
const LOW_WATER_BYTES = 128 * 1024;

/** Messages that wait are written together, up to this much at a time. */
const BATCH_BYTES = 256 * 1024;

/** What a framed link runs over: a Unix socket, or its like in a test. */
export interface ByteConn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/**
 * A link over a control socket in proxy mode, from either end: each message as `uint32 length · byte 0 · message`
 * (PROTOCOL.mux §9; the byte stands where a packet has its padding length).
 */
export class FramedLink implements Link {
  readonly where: string;
  readonly closed: Promise<CloseInfo>;
  readonly #conn: ByteConn;
  readonly #resolveClosed: (info: CloseInfo) => void;
  readonly #frames = new MuxFrames();
  readonly #early: Uint8Array[] = [];
  readonly #lostWhy: string;
  #handler: ((payload: Uint8Array) => void) | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing = false;
  #drained: (() => void)[] = [];
  #ended = false;

  /**
   * @param initial bytes that were read from the socket before it went into proxy mode and belong to it.
   * @param lostWhy what to say when the other end closes the socket.
   */
  constructor(conn: ByteConn, where: string, options: { initial?: Uint8Array; lostWhy?: string } = {}) {
    this.where = where;
    this.#conn = conn;
    this.#lostWhy = options.lostWhy ?? "the master closed the control socket";
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    if (options.initial) this.#frames.push(options.initial);
    this.#read();
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  drained(): Promise<void> {
    if (this.#ended || this.#queuedBytes < LOW_WATER_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  send(payload: Uint8Array): void {
    if (this.#ended) return;
    const length = payload.length + 1;
    const header = new Uint8Array([length >>> 24, length >>> 16, length >>> 8, length, 0]);
    this.#queue.push(header, payload);
    this.#queuedBytes += header.length + payload.length;
    if (!this.#writing) this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    await Promise.resolve(); // what is sent in the same turn leaves together
    try {
      while (this.#queue.length > 0) {
        let bytes = 0;
        let count = 0;
        while (count < this.#queue.length && bytes < BATCH_BYTES) bytes += this.#queue[count++].length;
        const batch = concat(this.#queue.splice(0, count));
        for (let done = 0; done < batch.length;) {
          const written = await this.#conn.write(done === 0 ? batch : batch.subarray(done));
          done += written;
          this.#queuedBytes -= written;
        }
        if (this.#queuedBytes < LOW_WATER_BYTES) { for (const resolve of this.#drained.splice(0)) resolve(); }
      }
    } catch (error) {
      this.#end({ how: "lost", why: this.#lostWhy, error });
    } finally {
      this.#writing = false;
    }
  }

  receive(handler: (payload: Uint8Array) => void): void {
    this.#handler = handler;
    for (const payload of this.#early.splice(0)) handler(payload);
  }

  async #read(): Promise<void> {
    let slab = new Uint8Array(SLAB_BYTES);
    let used = 0;
    try {
      this.#deliver();
      while (!this.#ended) {
        if (SLAB_BYTES - used < MIN_READ_BYTES) {
          slab = new Uint8Array(SLAB_BYTES);
          used = 0;
        }
        const count = await this.#conn.read(slab.subarray(used));
        if (count === null) break;
        this.#frames.push(slab.subarray(used, used + count));
        used += count;
        this.#deliver();
      }
      this.#end({ how: "lost", why: this.#lostWhy });
    } catch (error) {
      if (error instanceof CarpoolError) this.#end({ how: "failed", why: error.message, error });
      else this.#end({ how: "lost", why: this.#lostWhy, error });
    }
  }

  #deliver(): void {
    for (let frame = this.#frames.takeBytes(); frame; frame = this.#frames.takeBytes()) {
      if (this.#ended) return;
      if (frame.length < 2) continue; // a frame without a message
      const payload = frame.subarray(1);
      if (this.#handler) this.#handler(payload);
      else this.#early.push(payload);
    }
  }

  /** Ends the link after what is queued has been written, or 500 ms, whichever comes first. */
  async close(info: CloseInfo = { how: "closed", why: "closed by this side" }): Promise<void> {
    if (this.#ended) return;
    const flushed = this.#flush();
    this.#end(info, false);
    await flushed;
    this.#closeConn();
  }

  async #flush(): Promise<void> {
    const deadline = performance.now() + 500;
    while (this.#queuedBytes > 0 && this.#writing && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #end(info: CloseInfo, closeConn = true): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const resolve of this.#drained.splice(0)) resolve();
    if (closeConn) this.#closeConn();
    this.#resolveClosed(info);
  }

  #connClosed = false;
  #closeConn(): void {
    if (this.#connClosed) return;
    this.#connClosed = true;
    this.#queue = [];
    try {
      this.#conn.close();
    } catch {
      // Already closed by the runtime after an error: that is what we wanted.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
