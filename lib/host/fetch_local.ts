/** What a fetch makes on this side besides files: directories and symlinks, and what is in their way. */
import { CopyError } from "../base/errors.ts";
import { localError } from "./copy_errors.ts";
import { directoryMode, OWNER } from "./copy_file.ts";
import { shown, temporaryBeside } from "./copy_names.ts";
import type { CopyRun } from "./copy_run.ts";
import type { RemoteEntry, RemoteSymlink, RemoteTree } from "./fetch_list.ts";

/** How what failed here is called. */
export const WHAT = "Cannot fetch from the host";

/** Local directories and symlinks made together. */
export const AT_ONCE = 16;

/** Makes the directories of a tree, level by level; those that are new. */
export async function makeDirectories(
  run: CopyRun,
  tree: Pick<RemoteTree, "levels">,
  at: (entry: RemoteEntry) => string,
  inside: boolean,
): Promise<RemoteEntry[][]> {
  const made: RemoteEntry[][] = [];
  for (const level of tree.levels) {
    const here: RemoteEntry[] = [];
    await run.each(level, AT_ONCE, async (entry) => {
      // Only what the user named is looked through; all below must be real directories.
      const trusted = entry.relative === "" && !inside;
      if (
        await ensureDirectory(at(entry), directoryMode(run, entry.attributes.permissions) | OWNER, trusted)
      ) {
        here.push(entry);
        run.directories++;
      }
    });
    made.push(here);
  }
  return made;
}

/** What is at a path, or where a symlink there leads; undefined for nothing. */
export async function lookThrough(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw localError(cause, WHAT, path);
  }
}

/** Makes the one missing directory that the user named. */
export async function makeTop(run: CopyRun, path: string): Promise<void> {
  try {
    await Deno.mkdir(path);
    run.directories++;
  } catch (cause) {
    throw localError(cause, WHAT, path);
  }
}

/** Whether the directory is new. */
async function ensureDirectory(path: string, mode: number, trusted: boolean): Promise<boolean> {
  try {
    await Deno.mkdir(path, { mode });
    return true;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw localError(cause, WHAT, path);
  }
  const there = await (trusted ? Deno.stat(path) : Deno.lstat(path));
  if (there.isDirectory) return false;
  if (!there.isSymlink) throw inTheWay(path, "a file is there");
  throw new CopyError("escapes", {
    what: WHAT,
    where: shown(path),
    why: "a symlink is where a directory belongs, and could lead out of the target directory",
    fix: "remove it, or fetch to another directory",
  });
}

/** Makes a symlink under a temporary name, which then takes its place. */
export async function makeLink(run: CopyRun, link: RemoteSymlink, target: string): Promise<void> {
  const temporary = temporaryBeside(target);
  try {
    await Deno.symlink(link.target, temporary);
    try {
      await Deno.rename(temporary, target);
    } catch (error) {
      await Deno.remove(temporary);
      throw error;
    }
    run.symlinks++;
  } catch (cause) {
    throw localError(cause, `Cannot fetch ${shown(link.path)}`, target);
  }
}

/** Gives a directory the mode and the time of the remote one, once everything is in it. */
export async function finishDirectory(run: CopyRun, entry: RemoteEntry, path: string): Promise<void> {
  const { permissions, atime, mtime } = entry.attributes;
  try {
    if (Deno.build.os !== "windows") {
      // A set-group-ID bit that it took over from its parent stays: shared directories live by it.
      const inherited = ((await Deno.lstat(path)).mode ?? 0) & 0o2000;
      await Deno.chmod(path, directoryMode(run, permissions) | inherited);
    }
    if (mtime !== undefined) await Deno.utime(path, atime ?? mtime, mtime);
  } catch (cause) {
    throw localError(cause, WHAT, path);
  }
}

/** Something is here that a fetch does not replace. */
export function inTheWay(path: string, why: string): CopyError {
  return new CopyError("local-failed", {
    what: WHAT,
    where: shown(path),
    why,
    fix: "choose another name, or move it away",
  });
}
