import { CopyError } from "../base/errors.ts";
import { localError, remoteError } from "./copy_errors.ts";
import { directoryMode, OWNER } from "./copy_file.ts";
import { joinPath, lastName, localPath, namesContents, shown, temporaryBeside } from "./copy_names.ts";
import type { CopyOptions, CopyResult } from "./copy_options.ts";
import { CopyPeer } from "./copy_peer.ts";
import { remotePath } from "./copy_remote_path.ts";
import { CopyRun } from "./copy_run.ts";
import { fetchFile } from "./fetch_file.ts";
import { listRemoteTree, type RemoteEntry, type RemoteSymlink } from "./fetch_list.ts";
import type { SessionSource } from "./session_source.ts";
import type { SftpClient } from "./sftp_client.ts";
import { fileKind, stat } from "./sftp_files.ts";

const WHAT = "Cannot fetch from the host";
/** Local directories and symlinks made together. */
const AT_ONCE = 16;

/**
 * Fetches a remote file or directory over SFTP. What goes where is as for `copyToHost`, with the sides exchanged:
 * `remote/` means its contents, `remote` the directory itself when `local` is a directory already or ends in `/`.
 *
 * - A file arrives under a temporary name beside its own (`.name.carpool-…`, mode 0600) and takes its place by a
 *   rename, with its mode, its time and its contents on the disk. A break leaves the old file whole.
 * - Nothing is written outside `local`, whatever the server says: names that lead elsewhere are refused, and inside
 *   `local` no symlink is ever written through, not even one that was there before (`local` itself may be one).
 * - Symlinks that stay within the tree are made again; others are left out unless `symlinks` is `any`.
 * - A file that grows while it is read is fetched as it was at the beginning: logs do. One that shrinks is left out.
 * - What cannot be fetched (fifos, sockets, devices, unreadable files, names that are not UTF-8) is left out, the rest
 *   is fetched, and then the call rejects with an error that names it. Trouble on this side ends the fetch at once.
 *
 * @throws {CopyError} `missing`, `denied`, `no-space`, `escapes`, `local-failed`, `remote-failed`, `unsupported`,
 *   `interrupted`
 */
export async function fetchFromHost(
  source: SessionSource | SftpClient,
  remote: string,
  local: string,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const run = new CopyRun(options);
  run.signal.throwIfAborted();
  local = localPath(local, WHAT);
  await using peer = new CopyPeer(source);
  const sftp = await peer.sftp(run.signal);
  const path = await remotePath(peer, remote, WHAT, run.signal);
  const where = `${sftp.where}:${remote}`;
  const attributes = await stat(sftp, path, true, { signal: run.signal }).catch(async (error) => {
    throw await remoteError(sftp, error, WHAT, remote);
  });
  const kind = fileKind(attributes);
  try {
    if (kind === "directory") await fetchTree(run, peer, sftp, { relative: "", path, attributes }, local);
    else if (kind === "file") {
      await fetchOne(run, peer, { relative: lastName(path), path, attributes }, local);
    } else throw notFetchable(where);
  } catch (error) {
    options.signal?.throwIfAborted(); // its own reason, not what came of it
    throw error;
  }
  return run.finish("Cannot fetch everything", where, kind === "file");
}

async function fetchOne(run: CopyRun, peer: CopyPeer, source: RemoteEntry, local: string): Promise<void> {
  run.totalBytes = source.attributes.size ?? 0;
  let there = await lookThrough(local);
  if (there === undefined && local.endsWith("/")) {
    await makeTop(run, local);
    there = await Deno.stat(local);
  }
  if (there && !there.isDirectory && !there.isFile) {
    throw inTheWay(local, "a device, fifo or socket is there");
  }
  const target = there?.isDirectory ? joinPath(local, source.relative) : local;
  const data = await peer.forData(run.totalBytes, run.signal);
  await run.each([target], 1, (path) => fetchFile(run, data, source, path));
}

async function fetchTree(
  run: CopyRun,
  peer: CopyPeer,
  sftp: SftpClient,
  source: RemoteEntry,
  local: string,
): Promise<void> {
  const there = await lookThrough(local);
  if (there && !there.isDirectory) throw inTheWay(local, "a file is there");
  const inside = !namesContents(source.path) && (there !== undefined || local.endsWith("/"));
  const tree = await listRemoteTree(run, sftp, source);
  run.totalBytes = tree.totalBytes;
  if (there === undefined && inside) await makeTop(run, local);
  const top = inside ? joinPath(local, lastName(source.path)) : local;
  const at = (entry: RemoteEntry) => entry.relative === "" ? top : joinPath(top, entry.relative);

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
  const data = await peer.forData(run.totalBytes, run.signal);
  await run.each(tree.files, data.openFiles, (file) => fetchFile(run, data, file, at(file)));
  // After all files: while those were written, no symlink of this fetch was there to write through.
  await run.each(tree.symlinks, AT_ONCE, (link) => makeLink(run, link, at(link)));
  // Last: a read-only directory could not be filled, and filling one changes its time. Children before parents.
  for (const level of made.reverse()) {
    await run.each(level, AT_ONCE, (entry) => finishDirectory(run, entry, at(entry)));
  }
}

async function lookThrough(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw localError(cause, WHAT, path);
  }
}

/** Makes the one missing directory that the user named. */
async function makeTop(run: CopyRun, path: string): Promise<void> {
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

async function makeLink(run: CopyRun, link: RemoteSymlink, target: string): Promise<void> {
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

async function finishDirectory(run: CopyRun, entry: RemoteEntry, path: string): Promise<void> {
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

function inTheWay(path: string, why: string): CopyError {
  return new CopyError("local-failed", {
    what: WHAT,
    where: shown(path),
    why,
    fix: "choose another name, or move it away",
  });
}

function notFetchable(where: string): CopyError {
  return new CopyError("unsupported", {
    what: WHAT,
    where: shown(where),
    why: "it is neither a file nor a directory",
    fix: "fetch regular files and directories only",
  });
}
