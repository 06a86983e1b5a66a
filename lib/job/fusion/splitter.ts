/** A piece of a stream: bytes of whatever runs, or the text of a mark. */
export type Piece = { readonly bytes: Uint8Array } | { readonly mark: string };

/** A mark is a line; a longer one is none of ours. */
const maxMarkBytes = 256;

const newline = 0x0a;

/**
 * Takes a stream apart at marks: `nonce`, a text, a newline. Everything else is passed on byte for byte, at once but for
 * an end that could be the beginning of a mark.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * const splitter = new Splitter("#!");
 * assertEquals(splitter.push(bytes("a#b#")), [{ bytes: bytes("a#b") }]);
 * assertEquals(splitter.push(bytes("! E 1\nc")), [{ mark: " E 1" }, { bytes: bytes("c") }]);
 * ```
 */
export class Splitter {
  readonly #nonce: Uint8Array;
  #held: Uint8Array = new Uint8Array();

  constructor(nonce: string) {
    this.#nonce = new TextEncoder().encode(nonce);
  }

  /** What is now known of the stream. */
  push(chunk: Uint8Array): Piece[] {
    const data = this.#held.length === 0 ? chunk : concat(this.#held, chunk);
    const pieces: Piece[] = [];
    let start = 0;
    for (let at = 0;;) {
      at = this.#find(data, at);
      if (at < 0) {
        at = data.length;
        break;
      }
      const from = at + this.#nonce.length;
      if (from > data.length) break; // it could be one: the rest is not here yet
      const end = data.indexOf(newline, from);
      if (end < 0 && data.length - from <= maxMarkBytes) break;
      if (end < 0 || end - from > maxMarkBytes) {
        at = from;
        continue;
      }
      if (at > start) pieces.push({ bytes: data.subarray(start, at) });
      pieces.push({ mark: new TextDecoder().decode(data.subarray(from, end)) });
      start = at = end + 1;
    }
    const held = this.#beginningOfMark(data, start);
    if (held > start) pieces.push({ bytes: data.subarray(start, held) });
    // A copy: the chunk belongs to the stream, which may use it again.
    this.#held = data.slice(held);
    return pieces;
  }

  /** What was held back, at the end of the stream. */
  end(): Uint8Array {
    const held = this.#held;
    this.#held = new Uint8Array();
    return held;
  }

  /** Where the nonce, or at the very end the beginning of it, next is; -1 for nowhere. */
  #find(data: Uint8Array, from: number): number {
    const nonce = this.#nonce;
    for (let at = data.indexOf(nonce[0]!, from); at >= 0; at = data.indexOf(nonce[0]!, at + 1)) {
      let length = 1;
      while (length < nonce.length && at + length < data.length && data[at + length] === nonce[length]) {
        length++;
      }
      if (length === nonce.length || at + length === data.length) return at;
    }
    return -1;
  }

  #beginningOfMark(data: Uint8Array, from: number): number {
    for (let at = this.#find(data, from); at >= 0; at = this.#find(data, at + 1)) {
      const text = at + this.#nonce.length;
      if (text > data.length || (data.indexOf(newline, text) < 0 && data.length - text <= maxMarkBytes)) {
        return at;
      }
    }
    return data.length;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
