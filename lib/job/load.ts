import type { Job } from "./job.ts";

/** Where to look for a task. */
export interface LoadOptions {
  /** What relative paths are relative to, and where `tasks/` lies; default: the current directory. */
  readonly cwd?: string;
}

/**
 * Reads and checks a task file. A bare name (`deploy`) is looked up in `tasks/`; anything with a slash or an
 * extension is a path. Nothing is contacted.
 *
 * @throws {JobFileError} naming line, column, what was found and what is allowed.
 */
export async function loadJob(pathOrName: string, options: LoadOptions = {}): Promise<Job> {
  // Parsers and schema are loaded when a file is, so that importing the module stays cheap.
  const { readTask } = await import("./read_task.ts");
  return await readTask(pathOrName, options.cwd ?? Deno.cwd());
}
