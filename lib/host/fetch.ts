import { CopyError } from "../base/errors.ts";
import { localError, remoteError } from "./copy_errors.ts";
import { fileMode, seconds } from "./copy_file.ts";
import { joinPath, lastName, localPath, namesContents, parentPath, shown } from "./copy_names.ts";
import type { CopyOptions, CopyResult } from "./copy_options.ts";
import { CopyPeer } from "./copy_peer.ts";
import { remotePath } from "./copy_remote_path.ts";
import { CopyRun } from "./copy_run.ts";
import { isSettled } from "./copy_decide.ts";
import { nameList, remoteHashes } from "./copy_look.ts";
import { batches, STREAM_FILE_BYTES } from "./copy_stream.ts";
import { fetchFile } from "./fetch_file.ts";
import { listRemoteTree, readLinks, type RemoteEntry, type RemoteSymlink } from "./fetch_list.ts";
import {
  AT_ONCE,
  finishDirectory,
  inTheWay,
  lookThrough,
  makeDirectories,
  makeLink,
  makeTop,
  WHAT,
} from "./fetch_local.ts";
import { type Offer, offeredTree, offerFromHost, receiveStream, takeFromHost } from "./fetch_stream.ts";
import { hashFile } from "./local_hash.ts";
import { LocalTurn, lookNow } from "./local_turn.ts";
import { StagedFile } from "./staged_file.ts";
import type { SftpAttributes } from "../wire/sftp.ts";
import type { SessionSource } from "./session_source.ts";
import type { SftpClient } from "./sftp_client.ts";
import { fileKind, stat } from "./sftp_files.ts";

/**
 * Fetches a remote file or directory, as tar streams or over SFTP as `copyToHost` does. What goes where is as for `copyToHost`, with the sides exchanged:
 * `remote/` means its contents, `remote` the directory itself when `local` is a directory already or ends in `/`.
 *
 * - A file arrives under a temporary name beside its own (`.name.carpool-…`, mode 0600) and takes its place by a
 *   rename, with its mode and its time. A break leaves the old file whole; a large one goes on where it was.
 * - Files that are here already, unchanged, are skipped. A tree that is new here comes in one round trip, if it is small.
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
  const path = await remotePath(peer, remote, WHAT, run.signal);
  const where = `${peer.where}:${remote}`;
  let single = false;
  try {
    const there = await lookThrough(local);
    const offer = await offerFor(run, peer, path, local, there);
    const attributes = offer ? attributesOf(offer) : await lookAt(run, peer, path, remote);
    const kind = fileKind(attributes);
    single = kind === "file";
    const entry = { relative: single ? lastName(path) : "", path, attributes };
    if (kind === "directory") await fetchTree(run, peer, entry, local, there, offer);
    else if (single) await fetchOne(run, peer, entry, local, there, offer);
    else throw notFetchable(where);
  } catch (error) {
    options.signal?.throwIfAborted(); // its own reason, not what came of it
    throw error;
  }
  return run.finish("Cannot fetch everything", where, single);
}

async function lookAt(run: CopyRun, peer: CopyPeer, path: string, remote: string): Promise<SftpAttributes> {
  const sftp = await peer.sftp(run.signal);
  return await stat(sftp, path, true, { signal: run.signal }).catch(async (error) => {
    throw await remoteError(sftp, error, WHAT, remote);
  });
}

/** Asks for what is there, saying what is here: a first tree comes at once, a file that is the same does not come. */
async function offerFor(
  run: CopyRun,
  peer: CopyPeer,
  path: string,
  local: string,
  there: Deno.FileInfo | undefined,
): Promise<Offer | undefined> {
  if (!peer.hasShell) return undefined;
  const inside = !namesContents(path) && (there === undefined ? local.endsWith("/") : there.isDirectory);
  const top = inside ? joinPath(local, lastName(path)) : local;
  const mine = await Deno.lstat(top).catch(() => undefined);
  const mtime = seconds(mine?.mtime ?? null);
  const compares = mine?.isFile && mtime !== undefined && (run.options.update ?? "changed") === "changed";
  const have = compares ? { size: mine.size, mtime } : undefined;
  return await offerFromHost(run, peer, path, mine === undefined, have);
}

function attributesOf(offer: Offer): SftpAttributes {
  const { mode, size, mtime } = offer.records.get(".")!;
  return { permissions: mode, size, mtime: Math.max(0, mtime) };
}

async function fetchOne(
  run: CopyRun,
  peer: CopyPeer,
  source: RemoteEntry,
  local: string,
  there: Deno.FileInfo | undefined,
  offer: Offer | undefined,
): Promise<void> {
  const size = source.attributes.size ?? 0;
  run.totalBytes = size;
  run.totalFiles = 1;
  if (there === undefined && local.endsWith("/")) {
    await makeTop(run, local);
    there = await Deno.stat(local);
  }
  if (there && !there.isDirectory && !there.isFile) {
    throw inTheWay(local, "a device, fifo or socket is there");
  }
  const target = there?.isDirectory ? joinPath(local, source.relative) : local;
  try {
    const hashes = run.options.update === "checksum"
      ? await remoteHashes(run, peer, parentPath(source.path), [source.relative])
      : undefined;
    if (await isHere(run, source, target, offer, hashes)) return run.skip(source.relative, size);
    if (offer?.state === "eager" && await receiveFile(run, offer, source, target)) return;
  } finally {
    await offer?.shell.stop();
  }
  const data = await peer.forData({ bytes: run.totalBytes, single: true }, run.signal);
  await run.each([target], 1, (path) => fetchFile(run, peer, data, source, path));
}

/** Takes a file that follows its offer; whether all of it came. */
async function receiveFile(
  run: CopyRun,
  offer: Offer,
  source: RemoteEntry,
  target: string,
): Promise<boolean> {
  const file = new StagedFile(target);
  const size = source.attributes.size ?? 0;
  let left = size;
  let more = false;
  const body = async () => {
    if (left === 0) return undefined;
    const chunk = await offer.shell.read();
    const part = chunk?.subarray(0, left);
    more ||= (chunk?.length ?? 0) > left;
    left -= part?.length ?? 0;
    return part;
  };
  try {
    await file.receive(size, body, (bytes) => run.progress(source.relative, bytes));
    run.signal.throwIfAborted();
    if (left > 0) {
      await offer.shell.succeeded(); // a lost connection is thrown
      return false;
    }
    // More than was said: another file may have taken its place meanwhile, of which this is the beginning.
    if (more || await offer.shell.read() !== undefined) return false;
    await file.finish(run, source.attributes);
    run.placed(source.relative, await file.place());
    return true;
  } finally {
    await file.discard();
  }
}

/** Whether a file need not be fetched; sets its mode and time, should only those differ. */
async function isHere(
  run: CopyRun,
  source: RemoteEntry,
  target: string,
  offer: Offer | undefined,
  hashes: ReadonlyMap<string, string> | undefined,
  turn = new LocalTurn(),
): Promise<boolean> {
  const { update = "changed" } = run.options;
  if (update === "always") return false;
  const mine = turn.isFast
    ? turn.look(() => lookNow(target))
    : await Deno.lstat(target).catch(() => undefined);
  if (!mine?.isFile || mine.size !== source.attributes.size) return false;
  const { permissions, mtime } = source.attributes;
  const placedAt = (mine.ctime ?? new Date()).getTime() / 1000 + (offer?.aheadSeconds ?? 0);
  const hash = hashes?.get(source.relative);
  const same = update === "changed"
    ? isSettled(mtime, seconds(mine.mtime), placedAt)
    : hash !== undefined && hash === await hashFile(target).catch(() => undefined);
  if (!same) return false;
  try {
    const mode = fileMode(run, permissions);
    if (Deno.build.os !== "windows" && ((mode ^ mine.mode!) & 0o777) !== 0) await Deno.chmod(target, mode);
    if (mtime !== undefined && mtime !== seconds(mine.mtime)) await Deno.utime(target, mtime, mtime);
  } catch (cause) {
    throw localError(cause, WHAT, target);
  }
  return true;
}

async function fetchTree(
  run: CopyRun,
  peer: CopyPeer,
  source: RemoteEntry,
  local: string,
  there: Deno.FileInfo | undefined,
  offer: Offer | undefined,
): Promise<void> {
  try {
    if (there && !there.isDirectory) throw inTheWay(local, "a file is there");
    const inside = !namesContents(source.path) && (there !== undefined || local.endsWith("/"));
    const offered = offer && offeredTree(run, peer, source.path, offer);
    // No copy waits for a session while it holds one that it does not need.
    if (!offered) await offer?.shell.stop();
    const listed = offered ? undefined : await listRemoteTree(run, await peer.sftp(run.signal), source);
    const tree = offered ?? listed!;
    run.totalBytes = tree.totalBytes;
    run.totalFiles = tree.files.length;
    if (there === undefined && inside) await makeTop(run, local);
    const top = inside ? joinPath(local, lastName(source.path)) : local;
    const at = (entry: RemoteEntry) => entry.relative === "" ? top : joinPath(top, entry.relative);
    const made = await makeDirectories(run, tree, at, inside);
    const fresh = made[0]?.length === 1; // so are all that are in it
    const files = fresh ? tree.files : await whatIsNew(run, peer, source.path, tree.files, at, offer);
    if (run.totalBytes > 0) await peer.prepare({ bytes: run.totalBytes, single: false });
    const symlinks = offered
      ? await fetchStreams(run, peer, source.path, files, offered.links, at, offer!)
      : listed!.symlinks;
    const rest = files.filter(({ relative }) => !run.isDone(relative));
    if (rest.length > 0) {
      await offer?.shell.stop();
      const data = await peer.sftp(run.signal);
      await run.each(rest, data.openFiles, (file) => fetchFile(run, peer, data, file, at(file)));
    }
    // After all files: while those were written, no symlink of this fetch was there to write through.
    await run.each(symlinks, AT_ONCE, (link) => makeLink(run, link, at(link)));
    // Last: a read-only directory could not be filled, and filling one changes its time. Children before parents.
    for (const level of made.reverse()) {
      await run.each(level, AT_ONCE, (entry) => finishDirectory(run, entry, at(entry)));
    }
  } finally {
    await offer?.shell.stop();
  }
}

/** The files that have to be moved; the others are skipped. */
async function whatIsNew(
  run: CopyRun,
  peer: CopyPeer,
  top: string,
  files: readonly RemoteEntry[],
  at: (entry: RemoteEntry) => string,
  offer: Offer | undefined,
): Promise<readonly RemoteEntry[]> {
  const { update } = run.options;
  if (update === "always") return files;
  const hashes = update === "checksum" && files.length > 0
    ? await remoteHashes(run, peer, top, files.map(({ relative }) => relative))
    : undefined;
  const here = new Set<RemoteEntry>();
  const turn = new LocalTurn();
  await run.each(files, AT_ONCE, async (file) => {
    const isIt = await isHere(run, file, at(file), offer, hashes, turn);
    await turn.pause();
    if (!isIt) return;
    here.add(file);
    run.skip(file.relative, file.attributes.size ?? 0);
  });
  return files.filter((file) => !here.has(file));
}

/** Fetches what fits streams; resolves with the symlinks that may be made. */
async function fetchStreams(
  run: CopyRun,
  peer: CopyPeer,
  top: string,
  files: readonly RemoteEntry[],
  links: readonly RemoteEntry[],
  at: (entry: RemoteEntry) => string,
  offer: Offer,
): Promise<RemoteSymlink[]> {
  const eager = offer.state === "eager";
  if (!eager && files.length + links.length === 0) {
    offer.shell.close(); // all is here: no further round trip for that
    return [];
  }
  const symlinks: RemoteSymlink[] = [];
  const unread = new Set(links);
  const sizeOf = ({ attributes }: RemoteEntry) => attributes.size ?? 0;
  const wanted = [...links, ...files.filter((file) => eager || sizeOf(file) <= STREAM_FILE_BYTES)];
  const lots = eager ? [wanted] : batches(wanted, sizeOf);
  await run.each([...lots.entries()], Math.max(1, peer.parallel), async ([index, lot]) => {
    const shell = index === 0 ? offer.shell : await takeFromHost(run, peer, top);
    if (shell === undefined) return;
    const mine = new Map(lot.filter((entry) => unread.has(entry)).map((entry) => [entry.relative, entry]));
    const contents = new Map(
      lot.filter(({ relative }) => !mine.has(relative)).map((entry) =>
        [entry.relative, { entry, target: at(entry) }] as const
      ),
    );
    try {
      if (!eager) {
        const names = lot.map(({ relative }) => `./${relative}`);
        shell.write(nameList(names)).then(() => shell.endInput()).catch(() => {}); // its end tells
      }
      const got = await receiveStream(run, peer, shell, { files: contents, links: mine });
      if (got === undefined) return;
      symlinks.push(...got.symlinks);
      for (const entry of mine.values()) unread.delete(entry);
    } finally {
      await shell.stop();
    }
  });
  if (unread.size > 0) await offer.shell.stop();
  if (unread.size > 0) symlinks.push(...await readLinks(run, await peer.sftp(run.signal), [...unread]));
  return symlinks;
}

function notFetchable(where: string): CopyError {
  return new CopyError("unsupported", {
    what: WHAT,
    where: shown(where),
    why: "it is neither a file nor a directory",
    fix: "fetch regular files and directories only",
  });
}
