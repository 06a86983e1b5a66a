/** What lies in a remote directory. The server is not trusted: names and kinds are checked before they are believed. */
import { CopyError } from "../base/errors.ts";
import { close, fileKind, isStatus, openDirectory, readDirectory, readSymlink, stat } from "./sftp_files.ts";
import { decodeName, joinPath, nameFault, shown, shownBytes } from "./copy_names.ts";
import type { CopyRun } from "./copy_run.ts";
import type { SftpClient } from "./sftp_client.ts";
import type { SftpAttributes } from "../wire/sftp.ts";
import type { SftpName } from "../wire/sftp_replies.ts";

export interface RemoteEntry {
  /** Relative to the top, with `/`; "" for the top itself. Every part of it has passed `nameFault`. */
  readonly relative: string;
  readonly path: string;
  readonly attributes: SftpAttributes;
}

export interface RemoteSymlink extends RemoteEntry {
  readonly target: string;
}

export interface RemoteTree {
  /** By depth, the top first. */
  readonly levels: readonly (readonly RemoteEntry[])[];
  readonly files: readonly RemoteEntry[];
  readonly symlinks: readonly RemoteSymlink[];
  /** Bytes of all files, as far as the server tells. */
  readonly totalBytes: number;
}

/** Entries taken from one server: a listing without end must not eat this machine's memory. */
export const MAX_ENTRIES = 1_000_000;
/** READDIRs under way for one directory: OpenSSH answers each with 100 names. */
const READS_AHEAD = 4;
const AT_ONCE = 64;

/** Lists a tree without following symlinks; what cannot be fetched is left out of it and named by the run at its end. */
export async function listRemoteTree(
  run: CopyRun,
  sftp: SftpClient,
  top: RemoteEntry,
  maxEntries = MAX_ENTRIES,
): Promise<RemoteTree> {
  const { signal } = run;
  const levels: RemoteEntry[][] = [[top]];
  const files: RemoteEntry[] = [];
  const links: RemoteEntry[] = [];
  let entries = 0;
  let totalBytes = 0;

  const count = (directory: RemoteEntry, names: readonly SftpName[]) => {
    // An empty answer counts too: a server could send them for ever.
    entries += Math.max(names.length, 1);
    if (entries > maxEntries) {
      throw new CopyError("unsupported", {
        what: WHAT,
        where: `${sftp.where}:${shown(directory.path)}`,
        why: `it has more than ${maxEntries} entries`,
        fix: "fetch parts of it",
      });
    }
  };

  /** Sorts one entry into where it belongs. */
  const take = async (
    directory: RemoteEntry,
    { name: bytes, attributes }: SftpName,
    seen: Set<string>,
    next: RemoteEntry[],
  ) => {
    const name = decodeName(bytes);
    if (name === "." || name === "..") return;
    const at = joinPath(directory.path, shownBytes(bytes));
    if (name === undefined) return run.leaveOut(unfit(sftp, at, "its name is not UTF-8", "rename it there"));
    const fault = nameFault(name, bytes.length);
    if (fault) {
      return run.leaveOut(escapes(sftp, at, `the server gave it a name that cannot be used: ${fault}`));
    }
    if (seen.has(name)) return run.leaveOut(unfit(sftp, at, "the server lists it twice"));
    seen.add(name);
    const path = joinPath(directory.path, name);
    if (fileKind(attributes) === "unknown") attributes = await stat(sftp, path, false, { signal });
    const relative = directory.relative === "" ? name : `${directory.relative}/${name}`;
    const entry: RemoteEntry = { relative, path, attributes };
    switch (fileKind(attributes)) {
      case "directory":
        next.push(entry);
        break;
      case "file":
        files.push(entry);
        totalBytes += attributes.size ?? 0;
        break;
      case "symlink":
        links.push(entry);
        break;
      default:
        run.leaveOut(unfit(sftp, at, "it is neither a file nor a directory nor a symlink"));
    }
  };

  const list = async (directory: RemoteEntry, next: RemoteEntry[]) => {
    const seen = new Set<string>();
    for await (const names of readAll(sftp, directory.path, signal)) {
      count(directory, names);
      for (const name of names) await take(directory, name, seen, next);
    }
  };

  for (let level = levels[0]; level.length > 0;) {
    const next: RemoteEntry[] = [];
    await run.each(level, AT_ONCE, async (directory) => {
      try {
        await list(directory, next);
      } catch (error) {
        if (!isStatus(error) || directory === top) throw error;
        run.leaveOut(error);
      }
    });
    level = next;
    if (next.length > 0) levels.push(next);
  }
  const symlinks = await readLinks(run, sftp, links);
  return { levels, files, symlinks, totalBytes };
}

const WHAT = "Cannot fetch a remote directory";

/** All answers of a directory, several READDIRs at a time. */
async function* readAll(
  sftp: SftpClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<readonly SftpName[]> {
  const handle = await openDirectory(sftp, path, { signal });
  try {
    for (;;) {
      const answers = await Promise.all(
        Array.from({ length: READS_AHEAD }, () => readDirectory(sftp, handle, { signal })),
      );
      for (const names of answers) {
        if (names === undefined) return;
        yield names;
      }
    }
  } finally {
    // Nothing depends on its answer, and the next listing need not wait for it.
    close(sftp, handle, { urgent: true }).catch(() => {});
  }
}

export async function readLinks(
  run: CopyRun,
  sftp: SftpClient,
  links: readonly RemoteEntry[],
): Promise<RemoteSymlink[]> {
  const symlinks: RemoteSymlink[] = [];
  await run.each(links, AT_ONCE, async (link) => {
    try {
      const target = await readSymlink(sftp, link.path, { signal: run.signal });
      const good = checkedLink(run, sftp, link, target);
      if (good) symlinks.push(good);
    } catch (error) {
      if (!isStatus(error)) throw error;
      run.leaveOut(error);
    }
  });
  return symlinks;
}

/** A symlink that may be made here; left out where it may not. */
export function checkedLink(
  run: CopyRun,
  at: { readonly where: string },
  link: RemoteEntry,
  target: string | undefined,
): RemoteSymlink | undefined {
  const why = target === undefined
    ? "what it points at is not UTF-8"
    : target === "" || target.includes("\0")
    ? "it points at no usable path"
    : run.options.symlinks !== "any" && !staysInside(link.relative, target)
    ? `it points outside what is fetched: ${shown(target)}`
    : undefined;
  if (why === undefined) return { ...link, target: target! };
  run.leaveOut(escapes(at, link.path, why, 'fetch with symlinks: "any" to make such symlinks'));
  return undefined;
}

/**
 * Whether a symlink can only lead to what lies in the same tree, whatever other symlinks that tree has. `..` is
 * allowed at the beginning only, where it climbs real directories: after a name, which may itself be a symlink, it
 * could climb from anywhere.
 */
export function staysInside(
  relative: string,
  target: string,
  windows = Deno.build.os === "windows",
): boolean {
  if (target.startsWith("/") || (windows && /[\\:]/.test(target))) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const climbs = parts.findIndex((part) => part !== "..");
  const up = climbs < 0 ? parts.length : climbs;
  return up <= relative.split("/").length - 1 && !parts.slice(up).includes("..");
}

function escapes(sftp: { readonly where: string }, path: string, why: string, fix?: string): CopyError {
  return new CopyError("escapes", {
    what: "Cannot fetch a remote file",
    where: `${sftp.where}:${shown(path)}`,
    why,
    fix,
  });
}

export function unfit(sftp: { readonly where: string }, path: string, why: string, fix?: string): CopyError {
  return new CopyError("unsupported", {
    what: "Cannot fetch a remote file",
    where: `${sftp.where}:${shown(path)}`,
    why,
    fix,
  });
}
