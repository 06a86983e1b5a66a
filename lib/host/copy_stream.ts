/** A tree, or a small file, as tar streams: two round trips for all that fits one, however many files there are. */
import { ChannelError } from "../base/errors.ts";
import { decide, type Decision, whileFilled } from "./copy_decide.ts";
import { fileMode, seconds } from "./copy_file.ts";
import { FinishScript } from "./copy_finish.ts";
import { type Greeting, look, plainPath, readGreeting } from "./copy_look.ts";
import { joinPath, lastName, parentPath } from "./copy_names.ts";
import type { CopyPeer } from "./copy_peer.ts";
import type { CopyRun } from "./copy_run.ts";
import { PUSH } from "./copy_script.ts";
import { type CopyShell, LINE_END } from "./copy_shell.ts";
import { SmallFiles } from "./copy_small_files.ts";
import type { LocalEntry, LocalTree } from "./local_tree.ts";
import { TarSender } from "./tar_sender.ts";
import { type TarEntry, tarHeader } from "./tar_writer.ts";

/** Larger files go by SFTP: there they can go on after a break, and over several channels. */
export const STREAM_FILE_BYTES = 4 * 1024 * 1024;
/** One stream moves about so much: what a break loses, and what the host keeps twice. */
const STREAM_BYTES = 16 * 1024 * 1024;
/** Names that travel with the command, so that asking costs no round trip; Linux takes an argument of 128 KiB. */
const MAX_ASKED_BYTES = 48 * 1024;

/** What is to go where. */
export interface StreamRequest {
  /** The remote path; relative to the home directory unless it begins with `/`. */
  readonly target: string;
  /** The name under which the source goes into a directory; "" for the contents of one. */
  readonly own: string;
  /** For a single file: no directories, one file. */
  readonly single: boolean;
  readonly tree: LocalTree;
}

/** What the streams have left to others. */
export interface Streamed {
  /** Where the top of the tree, or the single file, is. */
  readonly top: string;
  /** Files that have changed and are too large for a stream. */
  readonly large: readonly LocalEntry[];
  /** New directories that still have to get their modes and times, children first. */
  readonly unsealed: readonly { readonly entry: LocalEntry; readonly mode: number }[];
}

/**
 * Sends what fits streams. Undefined where the host cannot take one, or not to its end: then SFTP is to do what is not
 * done, and say what is wrong.
 */
export async function streamToHost(
  run: CopyRun,
  peer: CopyPeer,
  request: StreamRequest,
): Promise<Streamed | undefined> {
  if (!peer.hasShell) return undefined;
  const { tree, single, own } = request;
  const target = plainPath(request.target);
  const slash = request.target.endsWith("/") ? "/" : "";
  const names = single ? [] : namesOf(tree);
  const asked = names.length * 3 + names.reduce((sum, name) => sum + name.length, 0) < MAX_ASKED_BYTES / 2 &&
    !names.some((name) => name.includes("\n")); // csh
  const hashes = run.options.update === "checksum" && (single || asked);
  // A single file's name depends on what the host has.
  let at = (entry: LocalEntry) => entry.relative;
  const contents = new SmallFiles((file) => tarHeader(fileEntry(run, file, at(file))));
  const small = single ? [] : tree.files.filter(({ info }) => info.size <= STREAM_FILE_BYTES);
  const where = [target, own, slash, single ? "f" : "t", plainPath(parentPath(target)), lastName(target)];
  const stream = await openStream(run, peer, where, hashes, asked ? names : [], () => contents.expect(small));
  contents.hold();
  if (stream === undefined) return undefined;
  const { shell, greeting } = stream;
  try {
    const top = greeting.named && own !== "" ? joinPath(target, own) : target;
    const state = greeting.there && !single && !asked ? await look(run, peer, top, names) : greeting;
    // A host that does not even find the directory it is in cannot look.
    if (state === undefined || (greeting.there && !single && !state.records.has("."))) return undefined;
    const records = new Map(state.records);
    if (!single && greeting.there) {
      records.set("", records.get(".")!);
    }
    if (single) at = () => lastName(top);
    const decision = await decide(run, tree, { ...greeting, records, hashes: state.hashes }, at);
    if (decision === undefined) return undefined;
    contents.keepOnly(decision.files);
    const isNew = !greeting.there && !single;
    const base = isNew ? `${lastName(top)}/` : "";
    return await send(run, peer, { decision, at, top, contents, ...stream, isNew, base });
  } finally {
    await shell.stop();
  }
}

interface OpenStream {
  readonly shell: CopyShell;
  /** Of the directory that the stream is unpacked in. */
  readonly id: string;
  readonly greeting: Greeting;
}

interface SendRequest extends OpenStream {
  readonly decision: Decision;
  readonly at: (entry: LocalEntry) => string;
  readonly top: string;
  readonly contents: SmallFiles;
  /** Whether the top itself is new: then all of it takes its place at once. */
  readonly isNew: boolean;
  /** What comes before a path relative to the top, where `finish` runs. */
  readonly base: string;
}

async function openStream(
  run: CopyRun,
  peer: CopyPeer,
  where: readonly string[],
  hashes: boolean,
  names: readonly string[],
  asking?: () => void,
): Promise<OpenStream | undefined> {
  const id = crypto.randomUUID().slice(0, 12);
  const shell = await peer.shell(PUSH, [...where, id, hashes ? "c" : "", ...names], run.signal, asking);
  if (shell === undefined) return undefined;
  const greeting = await readGreeting(shell, hashes);
  run.signal.throwIfAborted();
  if (greeting !== undefined) return { shell, id, greeting };
  await shell.stop();
  return undefined;
}

async function send(run: CopyRun, peer: CopyPeer, request: SendRequest): Promise<Streamed | undefined> {
  const { decision, at, top } = request;
  const [first = [], ...others] = batches(
    decision.files.filter(({ info }) => info.size <= STREAM_FILE_BYTES),
    ({ info }) => info.size,
  );
  const large = decision.files.filter(({ info }) => info.size > STREAM_FILE_BYTES);
  const filledLater = new Set<string>();
  for (const file of [...large, ...others.flat()]) {
    for (let path = at(file); path !== "";) {
      path = path.slice(0, Math.max(0, path.lastIndexOf("/")));
      if (filledLater.has(path)) break;
      filledLater.add(path);
    }
  }
  const finish = new FinishScript();
  if (request.isNew) finish.moveAll(lastName(top), namesNearTop(decision));
  for (const { path, mode, time } of decision.touched) {
    if (time !== undefined) finish.time(path, time);
    if (mode !== undefined) finish.mode(path, mode);
  }
  const directories = decision.directories.toReversed();
  for (const { entry, mode } of directories) {
    if (whileFilled(mode) !== mode && !filledLater.has(entry.relative)) {
      finish.mode(request.base + entry.relative, mode);
    }
  }
  const { symlinks, touched } = decision;
  if (first.length + directories.length + symlinks.length + touched.length > 0) {
    if (!await sendStream(run, request, finish, first, true)) return undefined;
    run.directories += directories.length;
    run.symlinks += symlinks.length;
    for (const { file } of touched) run.skip(file.relative, file.info.size);
  } else request.shell.close(); // all is as it should be: no further round trip for that
  run.directories += request.greeting.made ? 1 : 0;
  let whole = true;
  await run.each(others, Math.max(1, peer.parallel - 1), async (batch) => {
    const next = await openStream(run, peer, [plainPath(top), "", "", "t", "/", "/"], false, []);
    if (next === undefined) return void (whole = false);
    try {
      if (!await sendStream(run, { ...request, ...next }, new FinishScript(), batch, false)) whole = false;
    } finally {
      await next.shell.stop();
    }
  });
  if (!whole) return undefined;
  const unsealed = directories.filter(({ entry }) => filledLater.has(entry.relative));
  return { top, large, unsealed };
}

/** One stream to its end; whether all of it is in place. */
async function sendStream(
  run: CopyRun,
  request: SendRequest,
  finish: FinishScript,
  files: readonly LocalEntry[],
  isFirst: boolean,
): Promise<boolean> {
  const { shell, at, decision, contents } = request;
  const directories = isFirst ? decision.directories : [];
  const fresh = new Set(directories.map(({ entry }) => entry.relative));
  const moves = (path: string) => !fresh.has(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
  const tar = new TarSender((data) => shell.write(data));
  const directoryEntry = (entry: LocalEntry, mode: number): TarEntry => {
    const mtime = seconds(entry.info.mtime) ?? 0;
    return { name: nameIn(entry.relative), kind: "directory", mode: whileFilled(mode), mtime };
  };
  const placed: { readonly path: string; readonly size: number }[] = [];
  contents.expect(files);
  try {
    if (request.greeting.there) await shell.write(LINE_END);
    for (const { entry, mode, inNew } of directories) {
      await tar.add(directoryEntry(entry, mode));
      if (!inNew && !request.isNew) finish.move(entry.relative);
    }
    for (const file of files) {
      const taken = contents.take(file);
      const read = taken instanceof Promise ? await taken : taken;
      if ("problem" in read) {
        run.leaveOut(read.problem);
        continue;
      }
      const full = tar.addPacked(read.block) ?? contents.pause();
      if (full) await full;
      const { size } = file.info;
      if (moves(at(file))) finish.move(at(file));
      placed.push({ path: file.relative, size });
      if (size > 0) run.progress(file.relative, size);
    }
    for (const link of isFirst ? decision.symlinks : []) {
      const mtime = seconds(link.info.mtime) ?? 0;
      await tar.add({
        name: nameIn(link.relative),
        kind: "symlink",
        mode: 0o777,
        mtime,
        target: link.target,
      });
      if (moves(link.relative)) finish.move(link.relative);
    }
    // Again: filling them has changed their times, which busybox's tar sets at once.
    for (const { entry, mode } of directories.toReversed()) {
      await tar.add(directoryEntry(entry, mode));
    }
    // GNU's tar makes symlinks that lead upwards last of all, which changes their directory once more.
    const linked = new Set(
      decision.symlinks.map(({ relative }) => relative.slice(0, Math.max(0, relative.lastIndexOf("/")))),
    );
    for (const { entry } of directories) {
      const mtime = seconds(entry.info.mtime);
      if (linked.has(entry.relative) && mtime !== undefined) {
        finish.time(request.base + entry.relative, mtime);
      }
    }
    const text = new TextEncoder().encode(finish.toString());
    await tar.add({ name: "finish", kind: "file", mode: 0o600, mtime: 0 }, text);
    await tar.end();
    shell.endInput();
  } catch (error) {
    // The script has ended early: its status tells.
    if (!(error instanceof ChannelError)) throw error;
  }
  if (!await shell.succeeded()) return false;
  for (const { path, size } of placed) run.placed(path, size);
  return true;
}

/** Where an entry is in a stream, given where it belongs; beside it is the script. */
function nameIn(path: string): string {
  return path === "" ? "n" : `n/${path}`;
}

/** What a tree has that is called as it is itself while it waits. */
function namesNearTop({ directories, files, symlinks }: Decision): ReadonlySet<string> {
  const entries = [...directories.map(({ entry }) => entry), ...files, ...symlinks];
  return new Set(entries.map(({ relative }) => relative).filter((path) => /^n(\/n)*$/.test(path)));
}

function fileEntry(run: CopyRun, { info }: LocalEntry, path: string): TarEntry {
  const mtime = seconds(info.mtime) ?? Math.floor(Date.now() / 1000);
  return { name: nameIn(path), kind: "file", mode: fileMode(run, info.mode), mtime, size: info.size };
}

/** Lots of files that go in one stream each. */
export function batches<File>(files: readonly File[], sizeOf: (file: File) => number): File[][] {
  const lots: File[][] = [];
  let bytes = Infinity;
  for (const file of files) {
    const size = sizeOf(file);
    if (bytes + size > STREAM_BYTES) {
      lots.push([]);
      bytes = 0;
    }
    lots.at(-1)!.push(file);
    bytes += size + 1024;
  }
  return lots;
}

/** What the host is asked for, the directory itself first. */
function namesOf(tree: LocalTree): string[] {
  return [
    ".",
    ...[...tree.directories.slice(1), ...tree.files, ...tree.symlinks].map((entry) => `./${entry.relative}`),
  ];
}
