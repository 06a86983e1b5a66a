import { ProtocolError } from "../base/errors.ts";
import { concat } from "../base/bytes.ts";
import { decodeName } from "./copy_names.ts";

const BLOCK_BYTES = 512;
/** Longest name or pax header that is taken; the sender is not trusted with our memory. */
const MAX_META_BYTES = 1024 * 1024;

/** One entry as the sender describes it. Nothing of it has been checked but its form. */
export interface TarItem {
  /** Undefined where it is not UTF-8. */
  readonly name: string | undefined;
  readonly kind: "file" | "directory" | "symlink" | "hardlink" | "other";
  /** Bytes of contents. */
  readonly size: number;
  /** Where a link leads; undefined where that is not UTF-8. */
  readonly target: string | undefined;
}

const KINDS: Readonly<Record<string, TarItem["kind"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "directory",
};

/**
 * Reads a tar stream (ustar, GNU and pax), entry by entry: {@linkcode TarReader.next}, then
 * {@linkcode TarReader.body} until it gives nothing. Streams one after another read as one. Contents are views of the
 * chunks that came.
 *
 * @throws {ProtocolError} where it is no tar stream, or ends early
 */
export class TarReader {
  readonly #source: () => Promise<Uint8Array | undefined>;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Bytes of contents not read yet, and of padding behind them. */
  #bodyLeft = 0;
  #padding = 0;

  constructor(source: () => Promise<Uint8Array | undefined>) {
    this.#source = source;
  }

  /** The next entry; undefined at the end. What was not read of the last one is skipped. */
  async next(): Promise<TarItem | undefined> {
    await this.#skip(this.#bodyLeft + this.#padding);
    this.#bodyLeft = this.#padding = 0;
    let longName: Uint8Array | undefined;
    let longTarget: Uint8Array | undefined;
    let pax = new Map<string, Uint8Array>();
    for (;;) {
      const header = await this.#take(BLOCK_BYTES, true);
      if (header === undefined) return undefined;
      if (header.every((byte) => byte === 0)) continue; // the end of one stream
      check(header);
      const type = String.fromCharCode(header[156]);
      const size = number(header, 124, 12);
      if (type === "L" || type === "K" || type === "x" || type === "g") {
        const data = await this.#meta(size);
        if (type === "L") longName = untilNul(data);
        else if (type === "K") longTarget = untilNul(data);
        else if (type === "x") pax = paxRecords(data);
        continue;
      }
      const kind = KINDS[type] ?? "other";
      const own = pax.get("size");
      const bytes = kind === "directory" || kind === "symlink" || kind === "hardlink"
        ? 0
        : own
        ? decimal(own)
        : size;
      this.#bodyLeft = bytes;
      this.#padding = -bytes & (BLOCK_BYTES - 1);
      const name = pax.get("path") ?? longName ?? ustarName(header);
      const target = pax.get("linkpath") ?? longTarget ?? untilNul(header.subarray(157, 257));
      return { name: decodeName(name), kind, size: bytes, target: decodeName(target) };
    }
  }

  /** The next contents of the entry; undefined at their end. */
  async body(): Promise<Uint8Array | undefined> {
    if (this.#bodyLeft === 0) return undefined;
    if (this.#chunk.length === 0) await this.#more();
    const piece = this.#chunk.subarray(0, this.#bodyLeft);
    this.#chunk = this.#chunk.subarray(piece.length);
    this.#bodyLeft -= piece.length;
    return piece;
  }

  async #meta(size: number): Promise<Uint8Array> {
    if (size > MAX_META_BYTES) throw malformed(`a name of ${size} bytes`);
    const data = await this.#take(size, false);
    const copy = data!.slice();
    await this.#skip(-size & (BLOCK_BYTES - 1));
    return copy;
  }

  /** Exactly so many bytes; undefined where nothing at all comes and `mayEnd`. */
  async #take(length: number, mayEnd: boolean): Promise<Uint8Array | undefined> {
    if (this.#chunk.length === 0 && length > 0 && !(await this.#more(mayEnd))) return undefined;
    if (this.#chunk.length >= length) {
      const data = this.#chunk.subarray(0, length);
      this.#chunk = this.#chunk.subarray(length);
      return data;
    }
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0;) {
      if (this.#chunk.length === 0) await this.#more();
      const part = this.#chunk.subarray(0, missing);
      this.#chunk = this.#chunk.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    return concat(parts);
  }

  async #skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.#chunk.length === 0) await this.#more();
      const skipped = Math.min(left, this.#chunk.length);
      this.#chunk = this.#chunk.subarray(skipped);
      left -= skipped;
    }
  }

  async #more(mayEnd = false): Promise<boolean> {
    for (;;) {
      const chunk = await this.#source();
      if (chunk === undefined) {
        if (mayEnd) return false;
        throw new ProtocolError(
          { what: "Cannot read a tar stream", why: "it ends in the middle" },
          "truncated",
        );
      }
      if (chunk.length === 0) continue;
      this.#chunk = chunk;
      return true;
    }
  }
}

/** The sum of a header's bytes, its own field as spaces. */
function check(header: Uint8Array): void {
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at++) sum += at >= 148 && at < 156 ? 0x20 : header[at];
  if (number(header, 148, 8) !== sum) throw malformed("a header with a wrong checksum");
}

/** Octal digits, or GNU's form for what has too many: the first bit set, then big-endian. */
function number(header: Uint8Array, offset: number, length: number): number {
  const field = header.subarray(offset, offset + length);
  let value = 0;
  if (field[0] & 0x80) {
    if (field[0] !== 0x80) throw malformed("a negative number");
    for (const byte of field.subarray(1)) value = value * 256 + byte;
  } else {
    const text = String.fromCharCode(...field).replace(/\0.*$/s, "").trim();
    if (!/^[0-7]*$/.test(text)) throw malformed("a number that is not octal");
    value = text === "" ? 0 : parseInt(text, 8);
  }
  if (!Number.isSafeInteger(value)) throw malformed("a number that is too large");
  return value;
}

/** POSIX puts the beginning of a long name elsewhere: `… · magic "ustar\0" · … · prefix 155 at 345`. */
function ustarName(header: Uint8Array): Uint8Array {
  const name = untilNul(header.subarray(0, 100));
  const posix = header[257] === 0x75 && header[262] === 0;
  const prefix = posix ? untilNul(header.subarray(345, 500)) : new Uint8Array(0);
  return (prefix.length === 0 ? name : concat([prefix, SLASH, name])).slice();
}

const SLASH = new Uint8Array([0x2f]);

function untilNul(data: Uint8Array): Uint8Array {
  const end = data.indexOf(0);
  return (end < 0 ? data : data.subarray(0, end)).slice();
}

/** `length key=value\n` over and over, the length in decimal and counting all of it (POSIX, pax). */
function paxRecords(data: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const length = space < 0 ? NaN : decimal(data.subarray(at, space));
    const equals = data.indexOf(0x3d, space);
    const end = at + length;
    if (!(end <= data.length && equals > space && equals < end && data[end - 1] === 0x0a)) {
      throw malformed("a pax header that is broken");
    }
    records.set(
      String.fromCharCode(...data.subarray(space + 1, Math.min(equals, space + 100))),
      data.slice(equals + 1, end - 1),
    );
    at = end;
  }
  return records;
}

function decimal(digits: Uint8Array): number {
  const text = String.fromCharCode(...digits.subarray(0, 20));
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value)) throw malformed("a number that is not decimal");
  return value;
}

function malformed(why: string): ProtocolError {
  return new ProtocolError({ what: "Cannot read a tar stream", why: `it has ${why}` }, "malformed");
}
