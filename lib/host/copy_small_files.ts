import { CopyError } from "../base/errors.ts";
import { localError } from "./copy_errors.ts";
import { changed, readFully } from "./copy_file.ts";
import { shown } from "./copy_names.ts";
import type { LocalEntry } from "./local_tree.ts";
import { LocalTurn, SMALL_BYTES } from "./local_turn.ts";
import { tarPadding } from "./tar_writer.ts";

/** Files read at once where the disk is waited for, and bytes that may wait to be sent. */
const AT_ONCE = 16;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** One file as it stands in a tar stream, its header first; or why it is left out. */
export type Packed = { readonly block: Uint8Array } | { readonly problem: CopyError };

/**
 * Reads small files ahead and packs them, so that neither the disk nor that is waited for file by file: it is done while
 * the host's answer is on its way.
 */
export class SmallFiles {
  readonly #headerOf: (file: LocalEntry) => Uint8Array;
  readonly #read = new Map<LocalEntry, Packed | Promise<Packed>>();
  readonly #turn: LocalTurn;
  #queue: LocalEntry[] = [];
  #active = 0;
  #waitingBytes = 0;
  #ahead: Promise<void> | undefined;

  /** `headerOf`: what stands before a file's contents. */
  constructor(headerOf: (file: LocalEntry) => Uint8Array, turn = new LocalTurn()) {
    this.#headerOf = headerOf;
    this.#turn = turn;
  }

  /** These will be asked for, in this order. What is to be sent first gets its turn before they are read. */
  expect(files: readonly LocalEntry[]): void {
    this.#queue = this.#queue.concat(files.filter((file) => !this.#read.has(file)).toReversed());
    this.#start();
  }

  /** Reads no more of what was expected. */
  hold(): void {
    this.#queue = [];
  }

  /** Forgets what was read of other files. */
  keepOnly(files: readonly LocalEntry[]): void {
    const kept = new Set(files);
    for (const file of this.#read.keys()) {
      if (kept.has(file)) continue;
      this.#read.delete(file);
      this.#waitingBytes -= file.info.size;
    }
  }

  /** A pause for the others of this process, when there was none for long. */
  pause(): Promise<void> | undefined {
    return this.#turn.pause();
  }

  /** A promise only where the disk has to be waited for. */
  take(file: LocalEntry): Packed | Promise<Packed> {
    const contents = this.#read.get(file);
    if (contents === undefined) {
      // The files come in the order they were expected in, so this is the next one.
      if (this.#queue.at(-1) === file) this.#queue.pop();
      else this.#queue = this.#queue.filter((other) => other !== file);
      return this.#readsNow(file) ? this.#now(file) : this.#late(file);
    }
    this.#read.delete(file);
    this.#waitingBytes -= file.info.size;
    this.#start();
    return contents;
  }

  #readsNow(file: LocalEntry): boolean {
    return file.info.size <= SMALL_BYTES && this.#turn.isFast;
  }

  #start(): void {
    // What goes wrong, whoever takes the file meets.
    this.#ahead ??= this.#readAhead().catch(() => {}).finally(() => this.#ahead = undefined);
  }

  get #mayRead(): boolean {
    return this.#active < AT_ONCE && this.#waitingBytes < MAX_WAITING_BYTES && this.#queue.length > 0;
  }

  async #readAhead(): Promise<void> {
    await this.#turn.rest();
    while (this.#mayRead) {
      const file = this.#queue.pop()!;
      this.#waitingBytes += file.info.size;
      if (this.#readsNow(file)) {
        this.#read.set(file, this.#now(file));
        await this.#turn.pause();
        continue;
      }
      this.#active++;
      const reading = this.#late(file).finally(() => {
        this.#active--;
        this.#start();
      });
      reading.catch(() => {});
      this.#read.set(file, reading);
    }
  }

  #now(entry: LocalEntry): Packed {
    return this.#turn.look(() => {
      try {
        using file = Deno.openSync(entry.path);
        const room = new Room(entry, this.#headerOf(entry));
        for (let read; room.left.length > 0 && (read = file.readSync(room.left)) !== null;) {
          room.length += read;
        }
        return room.packed(file.statSync());
      } catch (cause) {
        return problemOf(entry, cause);
      }
    });
  }

  async #late(entry: LocalEntry): Promise<Packed> {
    try {
      using file = await Deno.open(entry.path);
      const room = new Room(entry, this.#headerOf(entry));
      room.length = await readFully(file, room.left);
      return room.packed(await file.stat());
    } catch (cause) {
      return problemOf(entry, cause);
    }
  }
}

/** Where a file is read to, behind its header. */
class Room {
  /** Bytes that have been read. */
  length = 0;
  readonly #entry: LocalEntry;
  readonly #start: number;
  readonly #block: Uint8Array<ArrayBuffer>;

  constructor(entry: LocalEntry, header: Uint8Array) {
    const { size } = entry.info;
    this.#entry = entry;
    this.#start = header.length;
    this.#block = new Uint8Array(header.length + size + Math.max(tarPadding(size), 1));
    this.#block.set(header);
  }

  /** For what is still to be read. One byte more than the file is said to have shows in the same read whether it has grown. */
  get left(): Uint8Array<ArrayBuffer> {
    return this.#block.subarray(this.#start + this.length, this.#start + this.#entry.info.size + 1);
  }

  /** Whether all is well when the file was found to be `after`. */
  packed(after: Deno.FileInfo): Packed {
    const { path, info: { size, mtime } } = this.#entry;
    if (this.length === size && after.size === size && after.mtime?.getTime() === mtime?.getTime()) {
      return { block: this.#block.subarray(0, this.#start + size + tarPadding(size)) };
    }
    return { problem: changed(whatOf(path), path, size, Math.max(this.length, after.size)) };
  }
}

function problemOf({ path }: LocalEntry, cause: unknown): Packed {
  const problem = localError(cause, whatOf(path), path);
  if (problem instanceof CopyError) return { problem };
  throw cause;
}

function whatOf(path: string): string {
  return `Cannot copy ${shown(path)}`;
}
