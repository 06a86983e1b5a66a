import type { SftpAttributes } from "../wire/sftp.ts";
import { localError } from "./copy_errors.ts";
import { fileMode } from "./copy_file.ts";
import { SMALL_BYTES } from "./local_turn.ts";
import { shown, temporaryBeside } from "./copy_names.ts";
import type { CopyRun } from "./copy_run.ts";

/** Smaller files are gathered in memory, and written at once. */
const GATHERED_BYTES = 4 * 1024 * 1024;

/** A local file that has arrived under a temporary name, and gets its own when all is well. */
export class StagedFile {
  readonly target: string;
  readonly #temporary: string;
  #made = false;
  #data: Uint8Array | undefined;
  #size = 0;

  constructor(target: string) {
    this.target = target;
    this.#temporary = temporaryBeside(target);
  }

  /** Takes `size` bytes from a body that has exactly so many. */
  async receive(
    size: number,
    body: () => Promise<Uint8Array | undefined>,
    progress: (bytes: number) => void,
  ): Promise<void> {
    try {
      if (size <= GATHERED_BYTES) {
        const data = new Uint8Array(size);
        for (let part = await body(); part; part = await body()) {
          data.set(part, this.#size);
          this.#size += part.length;
        }
        this.#data = data;
        if (size > 0) progress(size);
        return;
      }
      this.#made = true;
      using file = await Deno.open(this.#temporary, { write: true, createNew: true, mode: 0o600 });
      for (let part = await body(); part; part = await body()) {
        for (let offset = 0; offset < part.length;) offset += await file.write(part.subarray(offset));
        this.#size += part.length;
        progress(part.length);
      }
    } catch (cause) {
      throw localError(cause, `Cannot fetch ${shown(this.target)}`, this.target);
    }
  }

  /** As `finish` does for what was gathered, without waiting. */
  finishNow(run: CopyRun, { permissions, mtime, atime = mtime }: SftpAttributes): void {
    const data = this.#data!;
    try {
      this.#made = true;
      {
        using file = Deno.openSync(this.#temporary, { write: true, createNew: true, mode: 0o600 });
        for (let offset = 0; offset < data.length;) offset += file.writeSync(data.subarray(offset));
        if (mtime !== undefined) file.utimeSync(atime!, mtime);
      }
      this.#data = undefined;
      const mode = fileMode(run, permissions);
      if (Deno.build.os !== "windows") Deno.chmodSync(this.#temporary, mode);
    } catch (cause) {
      throw localError(cause, `Cannot fetch ${shown(this.target)}`, this.target);
    }
  }

  /** Whether it is in memory, and small enough to be written without waiting. */
  get isSmall(): boolean {
    return this.#data !== undefined && this.#data.length <= SMALL_BYTES;
  }

  /** Writes what was gathered, and sets mode and time. */
  async finish(run: CopyRun, attributes: SftpAttributes): Promise<void> {
    try {
      if (this.#data) {
        this.#made = true;
        await Deno.writeFile(this.#temporary, this.#data, { createNew: true, mode: 0o600 });
        this.#data = undefined;
      }
      const { permissions, mtime, atime = mtime } = attributes;
      if (Deno.build.os !== "windows") await Deno.chmod(this.#temporary, fileMode(run, permissions));
      if (mtime !== undefined) await Deno.utime(this.#temporary, atime!, mtime);
    } catch (cause) {
      throw localError(cause, `Cannot fetch ${shown(this.target)}`, this.target);
    }
  }

  /** Gives the file its name; its size. */
  async place(): Promise<number> {
    try {
      await Deno.rename(this.#temporary, this.target);
      this.#made = false;
      return this.#size;
    } catch (cause) {
      throw localError(cause, `Cannot fetch ${shown(this.target)}`, this.target);
    }
  }

  /** As `place` does, without waiting. */
  placeNow(): number {
    try {
      Deno.renameSync(this.#temporary, this.target);
      this.#made = false;
      return this.#size;
    } catch (cause) {
      throw localError(cause, `Cannot fetch ${shown(this.target)}`, this.target);
    }
  }

  /** Removes what has no name yet. Idempotent. */
  async discard(): Promise<void> {
    if (this.#made) await Deno.remove(this.#temporary).catch(() => {});
    this.#made = false;
  }
}
