import { CopyError } from "../base/errors.ts";
import { localError, remoteError } from "./copy_errors.ts";
import { copyLargeFile } from "./copy_large.ts";
import { LARGE_BYTES } from "./copy_part.ts";
import type { SftpAttributes } from "../wire/sftp.ts";
import { copyFile, directoryMode, fileMode, OWNER, seconds } from "./copy_file.ts";
import { joinPath, lastName, localPath, namesContents, shown, temporaryBeside } from "./copy_names.ts";
import type { CopyOptions, CopyResult } from "./copy_options.ts";
import { CopyPeer } from "./copy_peer.ts";
import { unchanged } from "./copy_decide.ts";
import { CopyRun } from "./copy_run.ts";
import { STREAM_FILE_BYTES, streamToHost } from "./copy_stream.ts";
import { type LocalEntry, type LocalSymlink, type LocalTree, readLocalTree, special } from "./local_tree.ts";
import { remotePath } from "./copy_remote_path.ts";
import type { SessionSource } from "./session_source.ts";
import type { SftpClient } from "./sftp_client.ts";
import { fileKind, makeDirectory, makeSymlink, remove, setAttributes, statIfThere } from "./sftp_files.ts";
import { replace } from "./sftp_replace.ts";

const WHAT = "Cannot copy to the host";
/** Small requests that are under way together; the client has its own bound. */
const AT_ONCE = 256;

/**
 * Copies a local file or directory to a host: as tar streams where the host has a POSIX shell and tar, in two round
 * trips for all that fits one (16 MiB), and over SFTP where it has not, and for files larger than 4 MiB.
 *
 * Where it goes (`remote` may begin with `~/`, and is under the remote home unless it begins with `/`):
 *
 * | `local` | `remote` | becomes |
 * |---|---|---|
 * | file `a` | a directory, or ends in `/` | `remote/a` |
 * | file `a` | anything else | `remote` |
 * | `dist/`, `dist/.`, `.` (its contents) | a directory, or nothing yet | `remote/…` |
 * | `dist` (itself) | a directory, or ends in `/` | `remote/dist/…` |
 * | `dist` | nothing yet | `remote/…` |
 *
 * One missing directory, the last of `remote`, is made; its parents must be there. Existing files are replaced,
 * files that only the host has stay.
 *
 * - Files that are there already, unchanged, are skipped: see {@linkcode CopyOptions.update}.
 * - A file arrives under a temporary name (`.name.carpool-…` beside its own, mode 0600; a stream in a directory
 *   `.carpool-…` at the top, mode 0700) and takes its place by a rename. A break leaves the old file whole. A symlink in
 *   its place is replaced, not followed. What SFTP has moved is on the disk by then; a stream leaves that to the host.
 * - A file of 16 MiB or more goes over several channels where the server's window is the limit, and an interrupted one
 *   goes on where it was, once what is there has been compared.
 * - A file of 64 MiB or more is moved by the installed `ssh` where that holds the connection, or one that was opened for
 *   the data, and the host is near: its bytes do not pass through this process. Not where the account runs no shell.
 *   Several such files take turns while each of them keeps a core busy.
 * - What copies have left whose host died is removed by the next one to that directory, after a day.
 * - Modes and modification times are kept; set-ID and sticky bits only with `specialBits`. Directories that were
 *   there already keep their own.
 * - Symlinks inside a tree are made again as they are; one that `local` itself names is followed.
 * - What cannot be copied (fifos, sockets, devices, unreadable files, names that are not UTF-8, files that change
 *   meanwhile) is left out, the rest is copied, and then the call rejects with an error that names it. Trouble on the
 *   host's side ends the copy at once.
 *
 * @throws {CopyError} `missing`, `denied`, `no-space`, `local-failed`, `remote-failed`, `unsupported`, `interrupted`
 */
export async function copyToHost(
  source: SessionSource | SftpClient,
  local: string,
  remote: string,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const run = new CopyRun(options);
  run.signal.throwIfAborted();
  local = localPath(local, WHAT);
  await using peer = new CopyPeer(source);
  const target = await remotePath(peer, remote, WHAT, run.signal);
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(local);
  } catch (cause) {
    throw localError(cause, WHAT, local);
  }
  try {
    if (info.isDirectory) {
      const tree = await readLocalTree(
        local,
        (problem) => run.leaveOut(problem),
        run.signal,
        run.options.exclude,
      );
      await peer.prepare({ bytes: tree.totalBytes, single: false });
      await copyTree(run, peer, local, tree, target);
    } else if (info.isFile) {
      await peer.prepareToSend(info.size, run.signal);
      await copyOne(run, peer, { relative: lastName(local), path: local, info }, target);
    } else throw special(local, info);
  } catch (error) {
    options.signal?.throwIfAborted(); // its own reason, not what came of it
    throw error;
  }
  return run.finish("Cannot copy everything", local, info.isFile);
}

async function copyOne(run: CopyRun, peer: CopyPeer, source: LocalEntry, target: string): Promise<void> {
  run.totalBytes = source.info.size;
  run.totalFiles = 1;
  if (source.info.size <= STREAM_FILE_BYTES) {
    const tree = { directories: [], files: [source], symlinks: [], totalBytes: source.info.size };
    if (await streamToHost(run, peer, { target, own: source.relative, single: true, tree })) return;
  }
  const sftp = await peer.sftp(run.signal);
  let there = await statIfThere(sftp, target, true, { signal: run.signal });
  if (there === undefined && target.endsWith("/")) {
    await ensureDirectory(run, sftp, target);
    there = { permissions: 0o040000 };
  }
  let kind = there && fileKind(there);
  if (kind === "special") throw inTheWay(sftp, target, "a device, fifo or socket is there");
  if (kind === "directory") {
    target = joinPath(target, source.relative);
    there = await statIfThere(sftp, target, false, { signal: run.signal });
    kind = there && fileKind(there);
  } else if (target.endsWith("/")) throw inTheWay(sftp, target, "a file is there");
  if (kind === "file" && await unchanged(run, source, there!)) {
    return await keep(run, sftp, source, target, there!);
  }
  await copyFiles(run, peer, [source], () => target);
}

async function copyTree(
  run: CopyRun,
  peer: CopyPeer,
  local: string,
  tree: LocalTree,
  target: string,
): Promise<void> {
  run.totalBytes = tree.totalBytes;
  run.totalFiles = tree.files.length;
  const own = namesContents(local) ? "" : lastName(local);
  const streamed = await streamToHost(run, peer, { target, own, single: false, tree });
  if (streamed === undefined) {
    return await copyTreeBySftp(run, peer, own, tree, target);
  }
  const { top, large, unsealed } = streamed;
  if (large.length === 0 && unsealed.length === 0) return;
  const sftp = await peer.sftp(run.signal);
  await copyFiles(run, peer, large, (file) => joinPath(top, file.relative));
  for (const { entry, mode } of unsealed) {
    const path = entry.relative === "" ? top : joinPath(top, entry.relative);
    const attributes = { permissions: mode, mtime: seconds(entry.info.mtime) };
    await setAttributes(sftp, path, attributes, { signal: run.signal });
  }
}

/** Small and middling files side by side, then the large ones, each of which has the link for itself. */
async function copyFiles(
  run: CopyRun,
  peer: CopyPeer,
  files: readonly LocalEntry[],
  at: (file: LocalEntry) => string,
): Promise<void> {
  const sftp = await peer.sftp(run.signal);
  const isLarge = (file: LocalEntry) => file.info.size >= LARGE_BYTES;
  await run.each(
    files.filter((file) => !isLarge(file)),
    sftp.openFiles,
    (file) => copyFile(run, sftp, file, at(file)),
  );
  await run.each(files.filter(isLarge), 1, (file) => copyLargeFile(run, peer, file, at(file)));
}

async function copyTreeBySftp(
  run: CopyRun,
  peer: CopyPeer,
  own: string,
  tree: LocalTree,
  target: string,
): Promise<void> {
  const { signal } = run;
  const sftp = await peer.sftp(signal);
  const there = await statIfThere(sftp, target, true, { signal });
  if (there !== undefined && fileKind(there) !== "directory") throw inTheWay(sftp, target, "a file is there");
  let top = target;
  if (own !== "" && (there !== undefined || target.endsWith("/"))) {
    if (there === undefined) await ensureDirectory(run, sftp, target);
    top = joinPath(target, own);
  }
  const at = (entry: LocalEntry) => entry.relative === "" ? top : joinPath(top, entry.relative);

  const made: { readonly path: string; readonly entry: LocalEntry; readonly inherited: number }[] = [];
  for (const level of levels(tree.directories)) {
    await run.each(level, AT_ONCE, async (entry) => {
      const path = at(entry);
      const inherited = await ensureDirectory(run, sftp, path, directoryMode(run, entry.info.mode) | OWNER);
      if (inherited !== undefined) made.push({ path, entry, inherited });
    });
  }
  const files: LocalEntry[] = [];
  const fresh = made.some(({ entry }) => entry.relative === "");
  await run.each(tree.files.filter((file) => !run.isDone(file.relative)), AT_ONCE, async (file) => {
    const old = fresh || run.options.update === "always"
      ? undefined
      : await statIfThere(sftp, at(file), false, { signal });
    const same = old && fileKind(old) === "file" && await unchanged(run, file, old);
    if (same) await keep(run, sftp, file, at(file), old);
    else files.push(file);
  });
  await copyFiles(run, peer, files, at);
  await run.each(tree.symlinks, AT_ONCE, (link) => copySymlink(run, sftp, link, at(link)));
  // Last: a read-only directory could not be filled, and filling one changes its time. Children before parents.
  for (const level of levels(made.map(({ entry }) => entry)).reverse()) {
    const depth = new Set(level);
    await run.each(
      made.filter(({ entry }) => depth.has(entry)),
      AT_ONCE,
      async ({ path, entry, inherited }) => {
        const permissions = directoryMode(run, entry.info.mode) | inherited;
        await setAttributes(sftp, path, { permissions, mtime: seconds(entry.info.mtime) }, { signal });
      },
    );
  }
}

/** Skips a file whose contents are right; its mode may not be. */
async function keep(
  run: CopyRun,
  sftp: SftpClient,
  file: LocalEntry,
  path: string,
  there: SftpAttributes,
): Promise<void> {
  const permissions = fileMode(run, file.info.mode);
  const bits = run.options.specialBits ? 0o7777 : 0o777;
  if (((permissions ^ (there.permissions ?? permissions)) & bits) !== 0) {
    await setAttributes(sftp, path, { permissions }, { signal: run.signal });
  }
  run.skip(file.relative, file.info.size);
}

/** Directories by depth, the top first. A parent must be there before its child: servers may answer in any order. */
function levels(directories: readonly LocalEntry[]): LocalEntry[][] {
  const byDepth: LocalEntry[][] = [];
  for (const entry of directories) {
    const depth = entry.relative === "" ? 0 : entry.relative.split("/").length;
    (byDepth[depth] ??= []).push(entry);
  }
  return byDepth.filter((level) => level !== undefined);
}

/**
 * Makes a directory unless it is there. For a new one, the set-group-ID bit that it took over from its parent, which
 * a later chmod must not take away: shared directories live by it.
 */
async function ensureDirectory(
  run: CopyRun,
  sftp: SftpClient,
  path: string,
  permissions?: number,
): Promise<number | undefined> {
  const { signal } = run;
  // Both in one flight: what is there matters whether or not it could be made.
  const making = makeDirectory(sftp, path, { permissions }, { signal }).then(
    () => undefined,
    (error) => ({ error }),
  );
  const there = await statIfThere(sftp, path, true, { signal });
  const failed = await making;
  if (failed === undefined) {
    run.directories++;
    return (there?.permissions ?? 0) & 0o2000;
  }
  signal.throwIfAborted();
  if (there === undefined) throw await remoteError(sftp, failed.error, `Cannot make a directory`, path);
  if (fileKind(there) !== "directory") throw inTheWay(sftp, path, "a file is there");
  return undefined;
}

async function copySymlink(
  run: CopyRun,
  sftp: SftpClient,
  link: LocalSymlink,
  target: string,
): Promise<void> {
  const temporary = temporaryBeside(target);
  let made = false;
  try {
    await makeSymlink(sftp, link.target, temporary, { signal: run.signal });
    made = true;
    await replace(sftp, temporary, target, { signal: run.signal });
    made = false;
    run.symlinks++;
  } catch (error) {
    throw await remoteError(sftp, error, `Cannot copy ${shown(link.path)}`, target);
  } finally {
    if (made || run.signal.aborted) await run.tidy(remove(sftp, temporary, { urgent: true }));
  }
}

function inTheWay(sftp: SftpClient, path: string, why: string): CopyError {
  return new CopyError("remote-failed", {
    what: WHAT,
    where: `${sftp.where}:${shown(path)}`,
    why,
    fix: "choose another name, or move it away",
  });
}
