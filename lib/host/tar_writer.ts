/**
 * Headers of a tar stream, as every `tar` reads them: GNU, BSD and busybox. Written here, because no library writes
 * long names as busybox wants them: it knows GNU's `L` and `K` entries and skips pax headers.
 */

const BLOCK_BYTES = 512;
const encoder = new TextEncoder();

/** One entry. Names are relative, with `/`. */
export interface TarEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink";
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Bytes that follow the header; 0 for all but files. */
  readonly size?: number;
  /** Where a symlink leads. */
  readonly target?: string;
}

/** What ends a stream. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK_BYTES);

/** Bytes of zero after `size` bytes of contents, up to the next block. */
export function tarPadding(size: number): number {
  return -size & (BLOCK_BYTES - 1);
}

/** The header of an entry, with those for a long name or target before it. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const name = encoder.encode(entry.kind === "directory" ? `${entry.name}/` : entry.name);
  const target = encoder.encode(entry.target ?? "");
  const long: Uint8Array[] = [];
  if (name.length > NAME_BYTES) long.push(...longText("L", name));
  if (target.length > NAME_BYTES) long.push(...longText("K", target));
  const type = entry.kind === "file" ? "0" : entry.kind === "directory" ? "5" : "2";
  const header = block(type, name, entry.mode, entry.size ?? 0, entry.mtime, target);
  if (long.length === 0) return header;
  const joined = new Uint8Array(long.reduce((sum, part) => sum + part.length, 0) + BLOCK_BYTES);
  let offset = 0;
  for (const part of [...long, header]) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

const NAME_BYTES = 100;

/** A text of any length, for the entry that follows: a header and the text with a NUL, in whole blocks. */
function longText(type: "L" | "K", text: Uint8Array): Uint8Array[] {
  const size = text.length + 1;
  const data = new Uint8Array(size + tarPadding(size));
  data.set(text);
  return [block(type, encoder.encode("././@LongLink"), 0, size, 0, new Uint8Array(0)), data];
}

/**
 * `name 100 · mode 8 · uid 8 · gid 8 · size 12 · mtime 12 · checksum 8 · type 1 · target 100 · magic 8 · …`, numbers in
 * octal, to 512 bytes. Owners are 0: whoever unpacks is the owner.
 */
function block(
  type: string,
  name: Uint8Array,
  mode: number,
  size: number,
  mtime: number,
  target: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES);
  header.set(name.subarray(0, NAME_BYTES), 0);
  octal(header, 100, 8, mode);
  octal(header, 108, 8, 0);
  octal(header, 116, 8, 0);
  octal(header, 124, 12, size);
  octal(header, 136, 12, mtime);
  header[156] = type.charCodeAt(0);
  header.set(target.subarray(0, NAME_BYTES), 157);
  header.set(MAGIC, 257);
  header.fill(0x20, 148, 156); // the checksum counts as spaces in itself
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at++) sum += header[at];
  octal(header, 148, 7, sum);
  return header;
}

const MAGIC = encoder.encode("ustar  ");

/** Digits to the field's end but one, which stays NUL. */
function octal(header: Uint8Array, offset: number, length: number, value: number): void {
  let rest = value;
  for (let at = offset + length - 2; at >= offset; at--) {
    header[at] = 0x30 + rest % 8;
    rest = Math.floor(rest / 8);
  }
  header[offset + length - 1] = 0;
}
