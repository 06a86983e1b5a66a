/** What lies in a local directory, listed before anything is sent. */
import { CopyError } from "../base/errors.ts";
import { localError } from "./copy_errors.ts";
import { excluder } from "./copy_exclude.ts";
import { joinPath, shown } from "./copy_names.ts";
import { LocalTurn } from "./local_turn.ts";

export interface LocalEntry {
  /** Relative to the top, with `/`; "" for the top itself. */
  readonly relative: string;
  /** Where it is here. */
  readonly path: string;
  readonly info: Deno.FileInfo;
}

export interface LocalSymlink extends LocalEntry {
  readonly target: string;
}

export interface LocalTree {
  /** Parents before children; the top is the first. */
  readonly directories: readonly LocalEntry[];
  readonly files: readonly LocalEntry[];
  readonly symlinks: readonly LocalSymlink[];
  /** Bytes of all files. */
  readonly totalBytes: number;
}

/** Entries looked at together: enough to keep the disk busy. */
const BATCH = 64;

/**
 * Lists a tree without following symlinks. What cannot be copied goes to `leaveOut`: special files, names that are not
 * UTF-8 (Deno shows them with U+FFFD in place of what it cannot read, and cannot open them), unreadable directories.
 * What `exclude` names is not looked at.
 */
export async function readLocalTree(
  top: string,
  leaveOut: (problem: CopyError) => void,
  signal: AbortSignal,
  exclude: readonly string[] = [],
  turn = new LocalTurn(),
): Promise<LocalTree> {
  const stays = excluder(exclude);
  const directories: LocalEntry[] = [{ relative: "", path: top, info: Deno.statSync(top) }];
  const files: LocalEntry[] = [];
  const symlinks: LocalSymlink[] = [];
  let totalBytes = 0;

  const failed = (path: string, name: string, cause: unknown) => {
    const mangled = name.includes("\ufffd") && cause instanceof Deno.errors.NotFound;
    leaveOut(mangled ? notUtf8(path) : localError(cause, WHAT, path) as CopyError);
  };
  const take = (entry: LocalEntry, target: string | undefined) => {
    if (entry.info.isDirectory) directories.push(entry);
    else if (entry.info.isFile) {
      files.push(entry);
      totalBytes += entry.info.size;
    } else if (target === undefined) leaveOut(special(entry.path, entry.info));
    else if (target.includes("\ufffd")) leaveOut(notUtf8(entry.path));
    else symlinks.push({ ...entry, target });
  };

  // Grows while it is walked: breadth first.
  for (const directory of directories) {
    signal.throwIfAborted();
    let names: string[];
    try {
      names = turn.isFast
        ? turn.look(() => Array.from(Deno.readDirSync(directory.path), ({ name }) => name))
        : (await Array.fromAsync(Deno.readDir(directory.path))).map(({ name }) => name);
    } catch (cause) {
      if (directory.relative === "") throw localError(cause, WHAT, directory.path);
      leaveOut(localError(cause, WHAT, directory.path) as CopyError);
      continue;
    }
    names.sort();
    const prefix = directory.relative === "" ? "" : `${directory.relative}/`;
    const wanted = exclude.length === 0 ? names : names.filter((name) => !stays(prefix + name));
    for (let start = 0; start < wanted.length; start += BATCH) {
      const batch = wanted.slice(start, start + BATCH);
      const looks: Look[] = [];
      for (const name of batch) {
        if (!turn.isFast) break;
        looks.push(turn.look(() => lookNow(joinPath(directory.path, name))));
      }
      const others = batch.slice(looks.length);
      looks.push(...await Promise.all(others.map((name) => look(joinPath(directory.path, name)))));
      for (const [index, { path, info, target, error }] of looks.entries()) {
        if (info === undefined) failed(path, batch[index], error);
        else take({ relative: prefix + batch[index], path, info }, target);
      }
      await turn.pause();
    }
  }
  return { directories, files, symlinks, totalBytes };
}

const WHAT = "Cannot copy a local file";

/** What is at a path, and where a symlink there leads; or why that cannot be told. */
interface Look {
  readonly path: string;
  readonly info?: Deno.FileInfo;
  readonly target?: string;
  readonly error?: unknown;
}

async function look(path: string): Promise<Look> {
  try {
    const info = await Deno.lstat(path);
    return { path, info, target: info.isSymlink ? await Deno.readLink(path) : undefined };
  } catch (error) {
    return { path, error };
  }
}

function lookNow(path: string): Look {
  try {
    const info = Deno.lstatSync(path);
    return { path, info, target: info.isSymlink ? Deno.readLinkSync(path) : undefined };
  } catch (error) {
    return { path, error };
  }
}

function notUtf8(path: string): CopyError {
  return new CopyError("unsupported", {
    what: WHAT,
    where: shown(path),
    why: "its name, or what it points at, is not UTF-8",
    fix: "rename it",
  });
}

/** What is neither file, directory nor symlink. */
export function special(path: string, info: Deno.FileInfo): CopyError {
  const kind = info.isFifo ? "a fifo" : info.isSocket ? "a socket" : "a device";
  return new CopyError("unsupported", {
    what: WHAT,
    where: shown(path),
    why: `it is ${kind}`,
    fix: "copy regular files, directories and symlinks only",
  });
}
