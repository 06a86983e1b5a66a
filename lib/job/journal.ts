import { CarpoolError, UsageError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import {
  journalDirectory,
  journalPath,
  makeJournalDirectory,
  newRunId,
  pruneJournals,
  runIds,
} from "./journal_place.ts";
import {
  type JournalRecord,
  type JournalState,
  journalVersion,
  readJournal,
  type RunRecord,
} from "./journal_record.ts";

/** What a new journal begins with; the rest of its first line is filled in. */
export type RunDescription = Omit<RunRecord, "type" | "version" | "atMs" | "id">;

const encoder = new TextEncoder();

/** Commits that come within so many turns of promises share a flush: the steps of many hosts begin in one turn. */
const GATHER_TURNS = 10;

/**
 * The journal of one run: JSON lines, only ever appended to, mode 0600, locked while the run goes on (the lock dies
 * with its process). A line is handed to the system when it is written, so that it outlives this process; one that is
 * committed is on disk as well. Commits that come while the disk is busy share the next flush: a thousand hosts do not
 * cost a flush each.
 */
export class RunJournal implements Disposable {
  readonly id: string;
  readonly path: string;
  readonly #file: Deno.FsFile;
  #flushing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #failure: CarpoolError | undefined;
  #closed = false;
  /** Flushes so far, for tests. */
  flushes = 0;

  private constructor(id: string, path: string, file: Deno.FsFile) {
    this.id = id;
    this.path = path;
    this.#file = file;
  }

  /** Begins a journal; the old ones are pruned. */
  static async create(description: RunDescription, directory = journalDirectory()): Promise<RunJournal> {
    await makeJournalDirectory(directory);
    const id = newRunId();
    const path = journalPath(directory, id);
    try {
      const file = await Deno.open(path, { createNew: true, append: true, mode: 0o600 });
      await file.lock(true);
      const journal = new RunJournal(id, path, file);
      await journal.commit({ type: "run", version: journalVersion, atMs: Date.now(), id, ...description });
      await pruneJournals(directory, isLive);
      return journal;
    } catch (cause) {
      throw failed(path, cause);
    }
  }

  /**
   * Takes a journal up again: reads it, locks it, and cuts off a torn last line.
   *
   * @throws {CarpoolError} where the run still goes on, or the journal cannot be read.
   */
  static async reopen(
    id: string,
    directory = journalDirectory(),
  ): Promise<{ readonly journal: RunJournal; readonly state: JournalState }> {
    const path = journalPath(directory, id);
    const file = await Deno.open(path, { read: true, append: true });
    try {
      if (!await file.tryLock(true)) {
        throw new CarpoolError("run-goes-on", {
          what: "Cannot resume the run",
          where: id,
          why: "it is still going on in another process",
          fix: "wait for its end, or end that process",
          outcome: "not-started",
        });
      }
      const state = stateOf(await Deno.readFile(path), path);
      await file.truncate(state.wholeBytes);
      return { journal: new RunJournal(id, path, file), state };
    } catch (cause) {
      file.close();
      throw cause;
    }
  }

  /** Writes a line; it outlives this process, though not yet a power cut. Throws when the disk takes no more. */
  append(record: JournalRecord): void {
    if (this.#closed) return;
    if (this.#failure) throw this.#failure;
    const line = encoder.encode(`${JSON.stringify(record)}\n`);
    try {
      for (let written = 0; written < line.length;) written += this.#file.writeSync(line.subarray(written));
    } catch (cause) {
      throw this.#failure = failed(this.path, cause);
    }
  }

  /** Writes a line and resolves when it is on disk; throws, too, once the journal is closed. */
  async commit(record: JournalRecord): Promise<void> {
    if (this.#closed) throw failed(this.path, "it is closed");
    this.append(record);
    await this.flush();
  }

  /** Resolves when all that was written so far is on disk. */
  flush(): Promise<void> {
    // The flush under way may have begun before our line: only the next one is sure to hold it.
    this.#next ??= this.#flushing.catch(() => {}).then(async () => {
      for (let turn = 0; turn < GATHER_TURNS; turn++) await Promise.resolve();
      this.#flushing = this.#next!;
      this.#next = undefined;
      if (this.#closed) return;
      this.flushes++;
      try {
        await this.#file.syncData();
      } catch (cause) {
        throw this.#failure = failed(this.path, cause);
      }
    });
    return this.#next;
  }

  /** What it says now. */
  async read(): Promise<JournalState> {
    return stateOf(await Deno.readFile(this.path), this.path);
  }

  /** Flushes and lets go of the lock; idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.flush();
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }
}

/** Whether a process holds the journal. */
export async function isLive(path: string): Promise<boolean> {
  using file = await Deno.open(path, { read: true });
  return !await file.tryLock(false);
}

/** A run with a journal, for a list. */
export interface ListedRun {
  readonly id: string;
  /** Its process is alive. */
  readonly live: boolean;
  /** Undefined where the journal cannot be read; `why` tells. */
  readonly state: JournalState | undefined;
  readonly why?: string;
}

/** All runs with a journal, the newest first. */
export async function* listRuns(directory = journalDirectory()): AsyncGenerator<ListedRun> {
  for (const id of await runIds(directory)) {
    const path = journalPath(directory, id);
    try {
      yield { id, live: await isLive(path), state: stateOf(await Deno.readFile(path), path) };
    } catch (error) {
      yield {
        id,
        live: false,
        state: undefined,
        why: error instanceof CarpoolError ? error.why ?? error.message : systemWhy(error),
      };
    }
  }
}

/** Whether something of a run is left to do: a host that did not come to its end, or not to a good one. */
export function isUnfinished({ run, hosts }: JournalState): boolean {
  return run.hosts.some((host) => hosts.get(host) !== "ok");
}

/**
 * The run that was meant: by its name or the beginning of it; without one, the newest that is not finished (of the task,
 * where one is named).
 *
 * @throws {UsageError} where there is none, or several.
 */
export async function findRun(
  wanted: { readonly id?: string; readonly task?: string },
  directory = journalDirectory(),
): Promise<string> {
  const what = "Cannot find the run to resume";
  const fix = "carpool runs lists them";
  if (wanted.id !== undefined) {
    const found = (await runIds(directory)).filter((id) => id.startsWith(wanted.id!));
    if (found.length === 1) return found[0]!;
    const why = found.length === 0 ? "there is no such run" : `${found.length} runs begin like that`;
    throw new UsageError({ what, where: wanted.id, why, fix });
  }
  for await (const { id, state, live } of listRuns(directory)) {
    if (!state || live || !isUnfinished(state)) continue;
    if (wanted.task !== undefined && state.run.task !== wanted.task) continue;
    return id;
  }
  throw new UsageError({
    what,
    where: wanted.task,
    why: "no run is left unfinished",
    fix,
  });
}

function stateOf(bytes: Uint8Array, path: string): JournalState {
  const state = readJournal(bytes);
  if ("run" in state) return state;
  throw new CarpoolError("bad-journal", {
    what: "Cannot read the journal",
    where: `${path}:${state.line}`,
    why: state.why,
    fix: "the run cannot be resumed; run the task anew",
    outcome: "not-started",
  });
}

function failed(path: string, cause: unknown): CarpoolError {
  if (cause instanceof CarpoolError) return cause;
  return new CarpoolError("journal-failed", {
    what: "Cannot write the journal",
    where: path,
    why: systemWhy(cause),
    fix:
      "make room or choose another XDG_STATE_HOME; --no-journal runs without, and then nothing can be resumed",
    outcome: "not-started",
    cause,
  });
}
