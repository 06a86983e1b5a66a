/** What a script of ours says of the files on its host; see `copy_script.ts`. */
import { RECORD_END } from "./copy_script.ts";

/** One path on the host. */
export interface RemoteRecord {
  /** Type and permission bits, as `st_mode`. */
  readonly mode: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** When it was last changed in any way, on the host's clock; seconds since 1970. */
  readonly ctime: number;
}

/** Type bits by what GNU's `find` calls them; what it calls otherwise is copied as little as a fifo. */
const TYPES: Readonly<Record<string, number>> = { f: 0o100000, d: 0o040000, l: 0o120000 };

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** By path, without its `./`; the directory itself is `.`. Names that are not UTF-8 match nothing. */
export function parseRecords(listing: Uint8Array): Map<string, RemoteRecord> {
  const records = new Map<string, RemoteRecord>();
  for (const line of decoder.decode(listing).split(RECORD_END)) {
    const [, mode, size, mtime, ctime, path] =
      /^([0-9a-f]+|[a-z],[0-7]+) (\d+) (-?\d+)(?:\.\d+)? (-?\d+)(?:\.\d+)? (.+)$/si.exec(line) ?? [];
    if (path === undefined) continue;
    records.set(path.startsWith("./") ? path.slice(2) : path, {
      mode: mode[1] === "," ? (TYPES[mode[0]] ?? 0o010000) | parseInt(mode.slice(2), 8) : parseInt(mode, 16),
      size: Number(size),
      mtime: Number(mtime),
      ctime: Number(ctime),
    });
  }
  return records;
}

/** SHA-256 by path. A line that begins with a backslash has a name in which GNU has written `\\\\` and `\\n`. */
export function parseHashes(lines: Uint8Array): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const line of decoder.decode(lines).split("\n")) {
    const [, escaped, hash, path] = /^(\\?)([0-9a-f]{64}) [ *]?\.\/(.+)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const name = escaped
      ? path.replace(/\\([\\nr])/g, (_, c) => c === "n" ? "\n" : c === "r" ? "\r" : c)
      : path;
    hashes.set(name, hash);
  }
  return hashes;
}

export function isDirectory(record: RemoteRecord | undefined): boolean {
  return record !== undefined && (record.mode & 0o170000) === 0o040000;
}

export function isFile(record: RemoteRecord | undefined): boolean {
  return record !== undefined && (record.mode & 0o170000) === 0o100000;
}
