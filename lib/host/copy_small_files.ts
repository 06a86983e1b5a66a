import { CopyError } from "../base/errors.ts";
import { localError } from "./copy_errors.ts";
import { changed, readFully } from "./copy_file.ts";
import { shown } from "./copy_names.ts";
import type { LocalEntry } from "./local_tree.ts";

/** Files read at once, and bytes that may wait to be sent. */
const AT_ONCE = 16;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** What one file had in it; or why it is left out. */
export type Contents = { readonly data: Uint8Array } | { readonly problem: CopyError };

/** Reads small files ahead, so that the disk is not waited for file by file. */
export class SmallFiles {
  readonly #reading = new Map<LocalEntry, Promise<Contents>>();
  #queue: LocalEntry[] = [];
  #active = 0;
  #waitingBytes = 0;

  /** These will be asked for, in this order. */
  expect(files: readonly LocalEntry[]): void {
    this.#queue.push(...files.filter((file) => !this.#reading.has(file)).toReversed());
    this.#start();
  }

  /** Forgets what was expected and is not being read yet. */
  forget(): void {
    this.#queue = [];
  }

  async take(file: LocalEntry): Promise<Contents> {
    if (!this.#reading.has(file)) {
      this.#queue = this.#queue.filter((other) => other !== file);
      this.#read(file);
    }
    const contents = await this.#reading.get(file)!;
    this.#reading.delete(file);
    this.#waitingBytes -= file.info.size;
    this.#start();
    return contents;
  }

  #start(): void {
    while (this.#active < AT_ONCE && this.#waitingBytes < MAX_WAITING_BYTES && this.#queue.length > 0) {
      this.#read(this.#queue.pop()!);
    }
  }

  #read(file: LocalEntry): void {
    this.#active++;
    this.#waitingBytes += file.info.size;
    this.#reading.set(
      file,
      readFile(file).finally(() => {
        this.#active--;
        this.#start();
      }),
    );
  }
}

/** Never rejects. */
async function readFile(entry: LocalEntry): Promise<Contents> {
  const what = `Cannot copy ${shown(entry.path)}`;
  try {
    using file = await Deno.open(entry.path);
    // One byte more than the file is said to have shows in the same read whether it has grown.
    const data = new Uint8Array(entry.info.size + 1);
    const length = await readFully(file, data);
    const after = await file.stat();
    if (
      length !== entry.info.size || after.size !== length ||
      after.mtime?.getTime() !== entry.info.mtime?.getTime()
    ) {
      return { problem: changed(what, entry.path, entry.info.size, Math.max(length, after.size)) };
    }
    return { data: data.subarray(0, length) };
  } catch (cause) {
    const problem = localError(cause, what, entry.path);
    if (problem instanceof CopyError) return { problem };
    throw cause;
  }
}
