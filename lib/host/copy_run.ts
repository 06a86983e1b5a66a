import type { CopyError } from "../base/errors.ts";
import { leftOutError } from "./copy_errors.ts";
import { shown } from "./copy_names.ts";
import type { CopyOptions, CopyResult } from "./copy_options.ts";

/** Problems kept for the error at the end; more are only counted. */
const MAX_PROBLEMS = 100;
/** How long removing temporary files may take on a host that does not answer. */
const CLEANUP_MS = 5_000;

/** One copy or fetch under way: what it has done, what it left out, and how it is stopped. */
export class CopyRun {
  readonly options: CopyOptions;
  totalBytes = 0;
  totalFiles = 0;
  files = 0;
  skipped = 0;
  directories = 0;
  symlinks = 0;
  bytes = 0;
  resumedBytes = 0;
  readonly #done = new Set<string>();
  #moved = 0;
  readonly #startMs = performance.now();
  readonly #stop = new AbortController();
  readonly #problems: CopyError[] = [];
  #problemCount = 0;

  constructor(options: CopyOptions) {
    this.options = options;
    this.signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
  }

  /** Aborted by the caller's signal, or by the first failure, which then is the reason. */
  readonly signal: AbortSignal;

  /** Data of one file has arrived. */
  progress(path: string, bytes: number): void {
    this.#moved += bytes;
    // A source that changes size may move more than was counted.
    const { files, skipped, totalFiles, resumedBytes } = this;
    this.options.onProgress?.({
      path,
      bytes: this.#moved,
      totalBytes: Math.max(this.totalBytes, this.#moved),
      files,
      totalFiles,
      skipped,
      resumedBytes,
    });
  }

  /** A file of so many bytes is there already. */
  skip(path: string, bytes: number): void {
    this.skipped++;
    this.#done.add(path);
    this.totalBytes -= bytes;
    this.progress(path, 0);
  }

  /** Whether a file is in its place, or need not be moved. */
  isDone(path: string): boolean {
    return this.#done.has(path);
  }

  /** An interrupted copy had moved so many bytes of a file. */
  resumed(path: string, bytes: number): void {
    this.resumedBytes += bytes;
    this.progress(path, bytes);
  }

  /** A file is in its place. */
  placed(path: string, bytes: number): void {
    this.files++;
    this.bytes += bytes;
    this.#done.add(path);
    if (bytes === 0) this.progress(path, 0);
  }

  /** An entry of the source that cannot be copied: the rest goes on, and the end tells. */
  leaveOut(problem: CopyError): void {
    this.#problemCount++;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }

  /**
   * Works on `items`, `limit` at a time. The first failure stops the others; when all have cleaned up after
   * themselves it is thrown.
   */
  async each<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const queue = items.values();
    const worker = async () => {
      for (const item of queue) {
        if (failure || this.signal.aborted) return;
        try {
          await work(item);
        } catch (error) {
          failure ??= { error };
          this.#stop.abort(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
    // The caller's own reason comes before what it led to.
    this.options.signal?.throwIfAborted();
    if (failure) throw failure.error;
  }

  /** Waits for tidying up that must happen even after an abort, but not for a host that does not answer. */
  async tidy(...tasks: readonly Promise<unknown>[]): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLEANUP_MS);
    // A failure here is not worth more than the one that led to it.
    await Promise.race([Promise.allSettled(tasks), late]);
    clearTimeout(timer);
  }

  /** The result; throws what was left out. `single`: it was about one file, whose own error says it all. */
  finish(what: string, where: string, single: boolean): CopyResult {
    if (this.#problemCount > 0) {
      if (single) throw this.#problems[0];
      const done = `the other ${this.files} files are in place`;
      throw leftOutError(this.#problems, this.#problemCount, what, shown(where), done);
    }
    const { files, skipped, directories, symlinks, bytes, resumedBytes } = this;
    const durationMs = performance.now() - this.#startMs;
    return { files, skipped, directories, symlinks, bytes, resumedBytes, durationMs };
  }
}
