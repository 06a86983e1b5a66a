/** A log that another process writes: read it, or wait for a line in it. */
import { CarpoolError } from "../../lib/base/errors.ts";

export class LogFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Everything written so far. A writer's finished write is always in it: there is no pipe in between. */
  text(): string {
    return Deno.readTextFileSync(this.path);
  }

  /** How many times `pattern` (with the `g` flag) occurs so far. */
  count(pattern: RegExp): number {
    return [...this.text().matchAll(pattern)].length;
  }

  /**
   * Waits, by file system events, until the log matches.
   *
   * @throws {CarpoolError} `not-in-log` after `deadlineMs`, with the log's end; the signal's reason when aborted.
   */
  async waitFor(
    pattern: RegExp,
    options: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<RegExpExecArray> {
    const { deadlineMs = 30_000, signal } = options;
    const deadline = AbortSignal.timeout(deadlineMs);
    const watcher = Deno.watchFs(this.path);
    const ended = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const close = () => watcher.close();
    ended.addEventListener("abort", close, { once: true });
    try {
      let match = search(pattern, this.text());
      if (match || ended.aborted) close();
      else {
        for await (const _ of watcher) {
          match = search(pattern, this.text());
          if (match) break;
        }
      }
      match ??= search(pattern, this.text());
      if (match) return match;
      signal?.throwIfAborted();
      throw new CarpoolError("not-in-log", {
        what: "Cannot find what should be in the log",
        where: this.path,
        why: `nothing matched ${pattern} within ${deadlineMs} ms; it ends with:\n${this.text().slice(-2000)}`,
      });
    } finally {
      ended.removeEventListener("abort", close);
    }
  }
}

/** Without the state that a `g` or `y` pattern keeps between calls. */
function search(pattern: RegExp, text: string): RegExpExecArray | null {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")).exec(text);
}
