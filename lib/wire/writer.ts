import { ProtocolError } from "../base/errors.ts";

const encoder = new TextEncoder();

/**
 * Writes the data types of RFC 4251 §5 into one message, growing as needed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(new Writer().utf8("hi").boolean(true).finish(), new Uint8Array([0, 0, 0, 2, 104, 105, 1]));
 * ```
 */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** @param sizeHint bytes to allocate at first; exact for hot paths, else a guess. */
  constructor(sizeHint = 64) {
    this.#bytes = new Uint8Array(sizeHint);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  #reserve(length: number): number {
    const start = this.#length;
    const end = start + length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = end;
    return start;
  }

  byte(value: number): this {
    const start = this.#reserve(1);
    this.#bytes[start] = value;
    return this;
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new ProtocolError(
        { what: "Cannot write a message", why: `${value} is not a uint32` },
        "malformed",
      );
    }
    const start = this.#reserve(4);
    this.#view.setUint32(start, value);
    return this;
  }

  uint64(value: bigint): this {
    const start = this.#reserve(8);
    this.#view.setBigUint64(start, value);
    return this;
  }

  /** A `string` of bytes. */
  string(value: Uint8Array): this {
    this.uint32(value.length);
    return this.bytes(value);
  }

  /** A `string` of UTF-8 text. */
  utf8(value: string): this {
    return this.string(encoder.encode(value));
  }

  /** Bytes as they are, without a length. */
  bytes(value: Uint8Array): this {
    const start = this.#reserve(value.length);
    this.#bytes.set(value, start);
    return this;
  }

  /** The message: a view of what was written. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }
}
