import { CopyError } from "../base/errors.ts";
import { localError } from "./copy_errors.ts";
import { changed, readFully } from "./copy_file.ts";
import { shown } from "./copy_names.ts";
import type { LocalEntry } from "./local_tree.ts";
import { LocalTurn, SMALL_BYTES } from "./local_turn.ts";

/** Files read at once where the disk is waited for, and bytes that may wait to be sent. */
const AT_ONCE = 16;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** What one file had in it; or why it is left out. */
export type Contents = { readonly data: Uint8Array } | { readonly problem: CopyError };

/** Reads small files ahead, so that the disk is not waited for file by file. */
export class SmallFiles {
  readonly #read = new Map<LocalEntry, Contents | Promise<Contents>>();
  readonly #turn: LocalTurn;
  #queue: LocalEntry[] = [];
  #active = 0;
  #waitingBytes = 0;
  #ahead: Promise<void> | undefined;

  constructor(turn = new LocalTurn()) {
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
  take(file: LocalEntry): Contents | Promise<Contents> {
    const contents = this.#read.get(file);
    if (contents === undefined) {
      // The files come in the order they were expected in, so this is the next one.
      if (this.#queue.at(-1) === file) this.#queue.pop();
      else this.#queue = this.#queue.filter((other) => other !== file);
      return this.#readsNow(file) ? this.#turn.look(() => readNow(file)) : readFile(file);
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
    this.#ahead ??= this.#readAhead().finally(() => this.#ahead = undefined);
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
        this.#read.set(file, this.#turn.look(() => readNow(file)));
        await this.#turn.pause();
        continue;
      }
      this.#active++;
      const reading = readFile(file).finally(() => {
        this.#active--;
        this.#start();
      });
      this.#read.set(file, reading);
    }
  }
}

/** Never rejects. */
async function readFile(entry: LocalEntry): Promise<Contents> {
  try {
    using file = await Deno.open(entry.path);
    const data = room(entry);
    const length = await readFully(file, data);
    return judged(entry, data, length, await file.stat());
  } catch (cause) {
    return problemOf(entry, cause);
  }
}

function readNow(entry: LocalEntry): Contents {
  try {
    using file = Deno.openSync(entry.path);
    const data = room(entry);
    let length = 0;
    for (let read; length < data.length && (read = file.readSync(data.subarray(length))) !== null;) {
      length += read;
    }
    return judged(entry, data, length, file.statSync());
  } catch (cause) {
    return problemOf(entry, cause);
  }
}

/** One byte more than the file is said to have shows in the same read whether it has grown. */
function room(entry: LocalEntry): Uint8Array<ArrayBuffer> {
  return new Uint8Array(entry.info.size + 1);
}

function judged(
  { path, info }: LocalEntry,
  data: Uint8Array,
  length: number,
  after: Deno.FileInfo,
): Contents {
  if (length === info.size && after.size === length && after.mtime?.getTime() === info.mtime?.getTime()) {
    return { data: data.subarray(0, length) };
  }
  return { problem: changed(whatOf(path), path, info.size, Math.max(length, after.size)) };
}

function problemOf({ path }: LocalEntry, cause: unknown): Contents {
  const problem = localError(cause, whatOf(path), path);
  if (problem instanceof CopyError) return { problem };
  throw cause;
}

function whatOf(path: string): string {
  return `Cannot copy ${shown(path)}`;
}
