/** Written to the local file at once. */
const GATHER_BYTES = 1024 * 1024;

interface Piece {
  readonly data: Uint8Array;
  readonly written: () => void;
}

/**
 * Writes pieces to a file, in order, many at once: a write is a turn of another thread, which for the 32 KiB of one
 * message takes longer than receiving them. While one is under way the next pieces are gathered.
 */
export class GatheringWriter {
  readonly #file: Deno.FsFile;
  #pieces: Piece[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Takes a piece; `written` is called when it is in the file. Waits while the write before is under way and enough is gathered. */
  async write(data: Uint8Array, written: () => void): Promise<void> {
    this.#pieces.push({ data, written });
    this.#bytes += data.length;
    if (this.#bytes >= GATHER_BYTES) await this.#flush();
  }

  /** Writes what is left; resolves when everything is in the file. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writing;
  }

  /** Begins to write what is gathered, once the write before is over. */
  async #flush(): Promise<void> {
    await this.#writing;
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const all = pieces.length === 1 ? pieces[0].data : joined(pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    this.#writing = this.#writeAll(all, pieces);
    this.#writing.catch(() => {}); // awaited by the next one
  }

  async #writeAll(all: Uint8Array, pieces: readonly Piece[]): Promise<void> {
    for (let offset = 0; offset < all.length;) offset += await this.#file.write(all.subarray(offset));
    for (const { written } of pieces) written();
  }
}

function joined(pieces: readonly Piece[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const { data } of pieces) {
    all.set(data, at);
    at += data.length;
  }
  return all;
}
