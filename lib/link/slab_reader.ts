/** What a control socket is read from and written to: a Unix socket, or its like in a test. */
export interface ByteConn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

const FIRST_SLAB_BYTES = 4 * 1024;
const MAX_SLAB_BYTES = 256 * 1024;

/**
 * Reads in slabs: what is read is a view of one, and what follows lies right behind it, so that messages need not be
 * copied to be whole. Slabs are small until somebody sends much, so that a hundred idle links cost next to nothing.
 */
export class SlabReader {
  readonly #conn: ByteConn;
  #slab = new Uint8Array(FIRST_SLAB_BYTES);
  #used = 0;
  /** The most that one read has brought into this slab. */
  #most = 0;

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  /** The next bytes, or null at the end. */
  async read(): Promise<Uint8Array | null> {
    if (this.#slab.length - this.#used < this.#slab.length / 16) {
      const size = Math.min(Math.max(this.#most * 4, FIRST_SLAB_BYTES), MAX_SLAB_BYTES);
      this.#slab = new Uint8Array(size);
      this.#used = this.#most = 0;
    }
    const count = await this.#conn.read(this.#slab.subarray(this.#used));
    if (count === null) return null;
    this.#used += count;
    this.#most = Math.max(this.#most, count);
    return this.#slab.subarray(this.#used - count, this.#used);
  }
}
