import { ProtocolError } from "../base/errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads the data types of RFC 4251 §5 from one message. Every read is bounds-checked: a short message throws
 * `ProtocolError` ("truncated"), never returns garbage.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const reader = new Reader(new Uint8Array([0, 0, 0, 2, 104, 105, 1]));
 * assertEquals(reader.utf8(), "hi");
 * assertEquals(reader.boolean(), true);
 * assertEquals(reader.remaining, 0);
 * ```
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) {
      throw new ProtocolError({
        what: "Cannot read a message",
        why: `${length} bytes wanted at offset ${start}, ${this.#bytes.length - start} left`,
      }, "truncated");
    }
    this.#offset = start + length;
    return start;
  }

  byte(): number {
    return this.#bytes[this.#take(1)];
  }

  /** RFC 4251 §5: every value but 0 is true. */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** A `string`: uint32 length, then that many bytes; a view of the message, not a copy. */
  string(): Uint8Array {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A `string` that must be UTF-8 (names, paths, descriptions). */
  utf8(): string {
    const bytes = this.string();
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new ProtocolError(
        { what: "Cannot read a message", why: "a text field is not UTF-8", cause },
        "malformed",
      );
    }
  }

  /** A `string` for people only: what is not UTF-8 becomes U+FFFD. */
  text(): string {
    return lenientDecoder.decode(this.string());
  }

  /** A `name-list`: comma-separated names. */
  nameList(): string[] {
    const text = this.utf8();
    return text === "" ? [] : text.split(",");
  }

  /** Whatever is left; a view. */
  rest(): Uint8Array {
    const start = this.#take(this.remaining);
    return this.#bytes.subarray(start);
  }
}
