import { CarpoolError, UsageError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import { join } from "../deps/node_path.ts";

/** Journals that are kept, whatever became of their runs. */
const keptRuns = 100;
/** Days after which a journal goes, however few there are. */
const keptDays = 30;
const suffix = ".jsonl";

/** Where journals lie: `$XDG_STATE_HOME/carpool/runs`, else `~/.local/state/carpool/runs`. */
export function journalDirectory(): string {
  const state = Deno.env.get("XDG_STATE_HOME");
  // The XDG base directory specification has a relative path ignored.
  if (state?.startsWith("/")) return join(state, "carpool", "runs");
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  if (home) return join(home, ".local", "state", "carpool", "runs");
  throw new CarpoolError("no-journal", {
    what: "Cannot keep a journal of the run",
    why: "neither XDG_STATE_HOME nor HOME says where",
    fix: "set one of them, or run with --no-journal",
    outcome: "not-started",
  });
}

/** Makes the directory, mode 0700; throws where it is not ours alone. */
export async function makeJournalDirectory(directory: string): Promise<void> {
  const refuse = (why: string, fix: string, cause?: unknown) =>
    new CarpoolError("no-journal", {
      what: "Cannot keep a journal of the run",
      where: directory,
      why,
      fix,
      cause,
      outcome: "not-started",
    });
  let info: Deno.FileInfo;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    info = await Deno.lstat(directory);
  } catch (cause) {
    throw refuse(
      systemWhy(cause),
      "set XDG_STATE_HOME to a directory of your own, or run with --no-journal",
      cause,
    );
  }
  if (Deno.build.os === "windows") return;
  if (!info.isDirectory) throw refuse("that is no directory", "move it away, or run with --no-journal");
  if (info.uid !== Deno.uid()) {
    throw refuse("it belongs to somebody else", "set XDG_STATE_HOME to a directory of your own");
  }
  if ((info.mode! & 0o077) !== 0) throw refuse("it is open to others", `run: chmod 700 ${directory}`);
}

/** A name for a run that sorts by time and that two runs of one second do not share. */
export function newRunId(now: Date = new Date()): string {
  const stamp = now.toISOString().replace(/\.\d+Z$/, "").replace(/[-:]/g, "").replace("T", "-");
  const random = crypto.getRandomValues(new Uint8Array(4));
  return `${stamp}-${[...random].map((byte) => "abcdefghjkmnpqrstuvwxyz023456789"[byte & 31]).join("")}`;
}

/** Whether a word can be the name of a run, or the beginning of one. */
export function isRunId(word: string): boolean {
  return /^\d{8}-\d{6}(-[a-z0-9]{0,4})?$/.test(word);
}

/** Where a run's journal lies. */
export function journalPath(directory: string, id: string): string {
  if (!isRunId(id)) {
    throw new UsageError({
      what: "Cannot find the run",
      where: id,
      why: "that is not the name of a run",
      fix: "carpool runs lists them",
    });
  }
  return join(directory, `${id}${suffix}`);
}

/** The names of all runs with a journal, the newest first. */
export async function runIds(directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      const id = name.slice(0, -suffix.length);
      if (isFile && name.endsWith(suffix) && isRunId(id)) found.push(id);
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) {
      throw new CarpoolError("no-journal", {
        what: "Cannot look for journals of runs",
        where: directory,
        why: systemWhy(cause),
        fix: "set XDG_STATE_HOME to a directory of your own, as it was when they ran",
        cause,
        outcome: "not-started",
      });
    }
  }
  return found.sort().reverse();
}

/** Removes journals beyond the newest hundred and older than 30 days; never one that `isLive` holds to be in use. */
export async function pruneJournals(
  directory: string,
  isLive: (path: string) => Promise<boolean>,
  limits: { readonly runs?: number; readonly days?: number; readonly now?: number } = {},
): Promise<number> {
  const { runs = keptRuns, days = keptDays, now = Date.now() } = limits;
  let removed = 0;
  for (const [index, id] of (await runIds(directory)).entries()) {
    const path = journalPath(directory, id);
    try {
      const { mtime } = await Deno.stat(path);
      const old = now - (mtime?.getTime() ?? now) > days * 86_400_000;
      if ((index < runs && !old) || await isLive(path)) continue;
      await Deno.remove(path);
      removed++;
    } catch (cause) {
      // Another run may be pruning too.
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
  }
  return removed;
}
