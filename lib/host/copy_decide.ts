/** What of a tree has to be moved, given what the host has. */
import { directoryMode, fileMode, OWNER, seconds } from "./copy_file.ts";
import { isDirectory, isFile, type RemoteRecord } from "./copy_records.ts";
import type { CopyRun } from "./copy_run.ts";
import { hashFile } from "./local_hash.ts";
import type { LocalEntry, LocalSymlink, LocalTree } from "./local_tree.ts";

/** Files hashed at once. */
const HASHES_AT_ONCE = 4;

/** What the host has, by path relative to the top. */
export interface RemoteState {
  readonly records: ReadonlyMap<string, RemoteRecord>;
  readonly hashes: ReadonlyMap<string, string>;
  /** What its clock is ahead of ours, in seconds. */
  readonly aheadSeconds: number;
  /** Whether the directory that holds the top, or is it, passes its group on. */
  readonly group: boolean;
}

/** A directory that is not there yet. */
export interface NewDirectory {
  readonly entry: LocalEntry;
  /** As it is to be in the end. */
  readonly mode: number;
  /** Whether the directory above it is new, too. */
  readonly inNew: boolean;
}

/** What is to be done. */
export interface Decision {
  readonly files: readonly LocalEntry[];
  /** Parents before children. */
  readonly directories: readonly NewDirectory[];
  readonly symlinks: readonly LocalSymlink[];
  /** Files whose contents are right, and whose mode or time is not. */
  readonly touched: readonly {
    readonly file: LocalEntry;
    readonly path: string;
    readonly mode?: number;
    readonly time?: number;
  }[];
}

/**
 * Compares a tree with what is there. Undefined where something else is in the way of a directory or a file: whoever
 * sees such things one by one is to say so.
 *
 * @param at where an entry is, relative to the top
 */
export async function decide(
  run: CopyRun,
  tree: LocalTree,
  state: RemoteState,
  at: (entry: LocalEntry) => string,
): Promise<Decision | undefined> {
  const { records, hashes } = state;
  const fresh = new Map<string, boolean>(); // by path; whether it passes its group on
  const directories: NewDirectory[] = [];
  for (const entry of tree.directories) {
    const path = at(entry);
    const there = records.get(path);
    if (isDirectory(there)) continue;
    if (there !== undefined) return undefined;
    const above = path === "" ? undefined : path.slice(0, Math.max(0, path.lastIndexOf("/")));
    const group = above === undefined
      ? state.group
      : fresh.get(above) ?? ((records.get(above)?.mode ?? 0) & 0o2000) !== 0;
    fresh.set(path, group);
    const mode = directoryMode(run, entry.info.mode) | (group ? 0o2000 : 0);
    directories.push({ entry, mode, inNew: above !== undefined && fresh.has(above) });
  }

  const files: LocalEntry[] = [];
  const touched: { file: LocalEntry; path: string; mode?: number; time?: number }[] = [];
  const moved = new Set<LocalEntry>();
  for (const file of tree.files) if (isDirectory(records.get(at(file)))) return undefined;
  await run.each(tree.files, HASHES_AT_ONCE, async (file) => {
    const path = at(file);
    const there = records.get(path);
    const placedAt = there && there.ctime - state.aheadSeconds;
    if (!isFile(there) || !await unchanged(run, file, there!, { hash: hashes.get(path), placedAt })) {
      moved.add(file);
      return;
    }
    const mode = fileMode(run, file.info.mode);
    const time = seconds(file.info.mtime);
    const other = ((there!.mode ^ mode) & (run.options.specialBits ? 0o7777 : 0o777)) !== 0;
    const later = time !== undefined && time !== there!.mtime;
    if (other || later) {
      touched.push({ file, path, mode: other ? mode : undefined, time: later ? time : undefined });
    } else run.skip(file.relative, file.info.size);
  });
  for (const file of tree.files) if (moved.has(file)) files.push(file);

  const symlinks: LocalSymlink[] = [];
  for (const link of tree.symlinks) {
    const there = records.get(at(link));
    if (isDirectory(there)) return undefined;
    const same = run.options.update !== "always" && there !== undefined &&
      (there.mode & 0o170000) === 0o120000 && there.size === new TextEncoder().encode(link.target).length &&
      there.mtime === seconds(link.info.mtime);
    if (!same) symlinks.push(link);
  }
  return { files, directories, symlinks, touched };
}

/**
 * Two changes of a file within a second look the same to whoever compares whole seconds. So a copy counts only if it
 * was made when that second was over; clocks, and what a message takes, may be off by the rest of this.
 */
const SETTLED_SECONDS = 3;

/**
 * Whether a file of the same name need not be moved.
 *
 * @param known `hash` of what is there; `placedAt`: when it got there, on this machine's clock, in seconds
 */
export async function unchanged(
  run: CopyRun,
  file: LocalEntry,
  there: { readonly size?: number; readonly mtime?: number },
  known: { readonly hash?: string; readonly placedAt?: number } = {},
): Promise<boolean> {
  const { update = "changed" } = run.options;
  if (update === "always" || there.size !== file.info.size) return false;
  if (update === "changed") {
    // Who cannot be asked when it got there may have got it a moment ago.
    const { placedAt = Date.now() / 1000 } = known;
    return isSettled(there.mtime, seconds(file.info.mtime), placedAt);
  }
  if (known.hash === undefined) return false;
  // What cannot be read is left out, with its error, by whoever moves it.
  return known.hash === await hashFile(file.path).catch(() => undefined);
}

/** Whether two times are the same, and were past when the copy was made. */
export function isSettled(a: number | undefined, b: number | undefined, placedAt: number): boolean {
  return a !== undefined && a === b && placedAt >= a + SETTLED_SECONDS;
}

/** What a new directory allows its owner while it is filled. */
export function whileFilled(mode: number): number {
  return mode | OWNER;
}
