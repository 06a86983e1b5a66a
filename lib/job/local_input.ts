import { concat } from "../base/bytes.ts";
import { CopyError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";

const READ_BYTES = 256 * 1024;

/** What a command reads on its standard input: bytes that are there, or a file that is read as it is sent. */
export type CommandInput = Uint8Array | LocalInput;

/**
 * A local file on its way to a command that takes exactly so many bytes of it. Dispose it. One that changes meanwhile ends
 * early, so that the command finds it short and does nothing with it.
 */
export class LocalInput implements Disposable {
  readonly size: number;
  /** As `st_mode`; null where this system has none. */
  readonly mode: number | null;
  /** Why it ended early. */
  failure: CopyError | undefined;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #modifiedMs: number | undefined;
  /** All of what does not tell its size. */
  readonly #held: Uint8Array | undefined;

  private constructor(path: string, file: Deno.FsFile, info: Deno.FileInfo, held: Uint8Array | undefined) {
    this.#path = path;
    this.#file = file;
    this.#held = held;
    this.size = held?.length ?? info.size;
    this.mode = info.mode;
    this.#modifiedMs = info.mtime?.getTime();
  }

  /** Throws `CopyError` where it cannot be read. */
  static async open(path: string): Promise<LocalInput> {
    let file: Deno.FsFile | undefined;
    try {
      file = await Deno.open(path);
      const info = await file.stat();
      // Opening a directory succeeds, reading it does not.
      if (info.isDirectory) throw new Deno.errors.IsADirectory("it is a directory");
      // The command is told how much will come: fifos, devices and files of /proc say 0, and have more.
      const held = info.isFile && info.size > 0 ? undefined : await readWhole(file);
      return new LocalInput(path, file, info, held);
    } catch (cause) {
      file?.close();
      throw failed(path, systemWhy(cause), cause);
    }
  }

  /** Its bytes, piece by piece; never rejects. */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.#held !== undefined) {
      if (this.#held.length > 0) yield this.#held;
      return;
    }
    try {
      for (let left = this.size; left > 0;) {
        const piece = new Uint8Array(Math.min(left, READ_BYTES));
        const length = await this.#file.read(piece) ?? 0;
        left -= length;
        // Before the last piece: what has been sent whole cannot be taken back.
        if ((length === 0 || left === 0) && await this.#hasChanged(length === 0)) return;
        yield piece.subarray(0, length);
      }
    } catch (cause) {
      this.failure = failed(this.#path, systemWhy(cause), cause);
    }
  }

  async #hasChanged(ended: boolean): Promise<boolean> {
    const { size, mtime } = await this.#file.stat();
    if (!ended && size === this.size && mtime?.getTime() === this.#modifiedMs) return false;
    this.failure = failed(this.#path, "it changed while it was read");
    return true;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function readWhole(file: Deno.FsFile): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = new Uint8Array(READ_BYTES);
    const length = await file.read(piece);
    if (length === null) return concat(pieces);
    pieces.push(piece.subarray(0, length));
  }
}

function failed(where: string, why: string, cause?: unknown): CopyError {
  return new CopyError("local-failed", { what: "Cannot read the local file", where, why, cause });
}
