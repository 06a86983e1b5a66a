import { createHash, type Hash } from "node:crypto";
import { CopyError } from "../base/errors.ts";
import { pushBySsh } from "./copy_by_ssh.ts";
import { CopyChannels } from "./copy_channels.ts";
import { localError, remoteError } from "./copy_errors.ts";
import { changed, fileMode, seconds, together } from "./copy_file.ts";
import { shown, temporaryBeside } from "./copy_names.ts";
import {
  endsWith,
  KEPT_BYTES,
  partBeside,
  remoteHashOf,
  SPAN_BYTES,
  TAIL_BYTES,
  thisMachine,
} from "./copy_part.ts";
import type { CopyPeer } from "./copy_peer.ts";
import type { CopyRun } from "./copy_run.ts";
import type { LocalEntry } from "./local_tree.ts";
import type { SftpClient } from "./sftp_client.ts";
import {
  close,
  createFile,
  fileKind,
  flush,
  isStatus,
  openToWrite,
  remove,
  setAttributes,
  type SftpHandle,
  stat,
} from "./sftp_files.ts";
import { replace } from "./sftp_replace.ts";

const READ_BYTES = 256 * 1024;

/**
 * Copies one large file. It arrives in a part whose name depends on the source, its size and its time: after a break
 * the next copy finds it, checks what it has, and goes on. Trouble with the source leaves the file out.
 */
export async function copyLargeFile(
  run: CopyRun,
  peer: CopyPeer,
  source: LocalEntry,
  target: string,
  anew = false,
): Promise<void> {
  const what = `Cannot copy ${shown(source.path)}`;
  const { signal } = run;
  const sftp = await peer.sftp(signal);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(source.path);
  } catch (cause) {
    run.leaveOut(localError(cause, what, source.path) as CopyError);
    return;
  }
  let part: string | undefined;
  let handle: SftpHandle | undefined;
  let channels: CopyChannels | undefined;
  let refused = false;
  /** Of the part, what the installed `ssh` has moved. */
  let ridden = 0;
  try {
    const before = await file.stat();
    const path = await Deno.realPath(source.path);
    part = anew
      ? temporaryBeside(target)
      : partBeside(target, thisMachine(), path, before.size, before.mtime?.getTime());
    const riding = anew ? undefined : peer.ride(before.size, signal);
    riding?.catch(() => {}); // seen below
    const startedAt = performance.now();
    const opened = await openPart(run, sftp, part);
    const rttMs = performance.now() - startedAt;
    handle = opened.handle;
    const checked = run.options.verify || opened.bytes > 0;
    const hash = checked ? createHash("sha256") : undefined;
    let start = Math.floor(Math.max(0, opened.bytes - SPAN_BYTES) / READ_BYTES) * READ_BYTES;
    if (start >= before.size) start = 0;
    if (start > 0 && !await isSame(run, peer, sftp, handle, part, file, start, hash!)) start = 0;
    if (start > 0) run.resumed(source.relative, start);
    else if (opened.bytes > 0) {
      // Somebody may be writing to it now: it is left alone, and never cut short.
      await close(sftp, handle, { signal });
      handle = undefined;
      part = temporaryBeside(target);
      handle = await createFile(sftp, part, { signal });
      await file.seek(0, Deno.SeekMode.Start);
    }
    const resumes = start > 0;
    const whole = start > 0 ? hash! : run.options.verify ? createHash("sha256") : undefined;
    const ride = await riding;
    if (ride !== undefined) {
      const { relative } = source;
      const onLook = (bytes: number) => ridden = bytes;
      const from = await pushBySsh(run, ride, sftp, handle, {
        ...{ relative, local: path, remote: part, size: before.size, start, onLook },
      });
      // What `ssh` has read may be another file, which has taken the name.
      const named = await Deno.stat(path).catch(() => undefined);
      const sameFile = named?.ino === before.ino && named?.dev === before.dev;
      if (!sameFile || (from === undefined && named?.size !== before.size)) {
        refused = true;
        run.leaveOut(changed(what, source.path, before.size, named?.size ?? 0));
        return;
      }
      if (from === undefined) return await copyLargeFile(run, peer, source, target, true);
      if (whole) await readUpTo(file, start, from, whole);
      else await file.seek(from, Deno.SeekMode.Start);
      start = from;
    }
    const onRead = whole && ((data: Uint8Array) => void whole.update(data));
    channels = new CopyChannels(run, peer, {
      file,
      path: source.relative,
      size: before.size,
      start,
      onRead,
      rttMs,
    }, part);
    if (start < before.size) await channels.send(sftp, handle);
    const after = await file.stat();
    if (
      channels.isShort || after.size !== before.size || after.mtime?.getTime() !== before.mtime?.getTime()
    ) {
      refused = true;
      run.leaveOut(changed(what, source.path, before.size, after.size));
      return;
    }
    const open = handle;
    handle = undefined; // whatever its reply, the handle is gone
    const attributes = { permissions: fileMode(run, before.mode), mtime: seconds(before.mtime) };
    const flight = [
      setAttributes(sftp, open, attributes, { signal }),
      ...channels.isFlushed ? [] : [flush(sftp, open, { signal })],
      close(sftp, open, { signal }),
    ];
    if (channels.isFlushed && whole === undefined) {
      // All data is known to be there: on a way where each flight counts, the name goes with the rest.
      await together(...flight, takePlace(run, sftp, part, target, before.size, attributes.mtime));
      part = undefined;
      run.placed(source.relative, before.size);
      return;
    }
    await together(...flight);
    // Another copy of the same file may have given the part its name meanwhile.
    const there = whole &&
      (await remoteHashOf(run, peer, part, before.size) ??
        await remoteHashOf(run, peer, target, before.size));
    if (there !== undefined && there !== whole!.digest("hex")) {
      await remove(sftp, part, { signal });
      part = undefined;
      if (resumes && !anew) return await copyLargeFile(run, peer, source, target, true);
      refused = true;
      throw new CopyError("remote-failed", {
        what,
        where: `${sftp.where}:${shown(target)}`,
        why: "what the host has differs from what was sent",
        fix: "check its disk",
      });
    }
    await takePlace(run, sftp, part, target, before.size, attributes.mtime);
    part = undefined;
    run.placed(source.relative, before.size);
  } catch (error) {
    refused ||= isStatus(error) || (!signal.aborted && !(error instanceof CopyError));
    throw await remoteError(sftp, localError(error, what, source.path), what, target);
  } finally {
    file.close();
    // A part that may be gone on with stays.
    const keeps = !refused && Math.max(ridden, channels?.confirmedBytes ?? 0) >= KEPT_BYTES;
    if (part !== undefined) {
      await run.tidy(
        ...handle ? [close(sftp, handle, { urgent: true })] : [],
        ...keeps ? [] : [remove(sftp, part, { urgent: true })],
      );
    }
  }
}

/** Reads what lies between two places into a sum, and stands at the second then. */
async function readUpTo(file: Deno.FsFile, from: number, to: number, hash: Hash): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES);
  for (let left = to - from; left > 0;) {
    const read = await file.read(buffer.subarray(0, Math.min(READ_BYTES, left)));
    if (read === null) return; // it has become shorter, which is found soon
    hash.update(buffer.subarray(0, read));
    left -= read;
  }
}

/**
 * A new part, or the one that is there, with its size. Another copy of the same file may give it its name between two
 * looks at it: then it is looked at anew.
 */
async function openPart(
  run: CopyRun,
  sftp: SftpClient,
  part: string,
  looks = 4,
): Promise<{ readonly handle: SftpHandle; readonly bytes: number }> {
  const { signal } = run;
  try {
    return { handle: await createFile(sftp, part, { signal }), bytes: 0 };
  } catch (error) {
    if (!isStatus(error)) throw error;
    const [there, home] = await Promise.all([
      stat(sftp, part, false, { signal }).catch(() => undefined),
      stat(sftp, ".", true, { signal }).catch(() => undefined),
    ]);
    // In a directory that others may write to, a file of that name could be theirs, or lead elsewhere.
    const ours = there !== undefined && fileKind(there) === "file" && there.uid !== undefined &&
      there.uid === home?.uid;
    // OpenSSH says no more than "failure" of a name that is taken.
    if (!ours && (there !== undefined || error.code !== "remote-failed")) throw error;
    if (ours) {
      try {
        return { handle: await openToWrite(sftp, part, { signal }), bytes: there.size ?? 0 };
      } catch (gone) {
        if (!isStatus(gone) || gone.code !== "missing") throw gone;
      }
    }
    if (looks === 1) throw error;
    return await openPart(run, sftp, part, looks - 1);
  }
}

/**
 * Puts a part in its place. Two copies of the same file to the same place write to the same part: the same bytes, and
 * the first to be done gives it its name.
 */
async function takePlace(
  run: CopyRun,
  sftp: SftpClient,
  part: string,
  target: string,
  size: number,
  mtime: number | undefined,
): Promise<void> {
  const { signal } = run;
  try {
    await replace(sftp, part, target, { signal });
  } catch (error) {
    if (!isStatus(error) || error.code !== "missing") throw error;
    const there = await stat(sftp, target, false, { signal }).catch(() => undefined);
    if (there?.size !== size || there.mtime !== mtime) throw error;
  }
}

/**
 * Whether the part begins as the source does. Reads the source up to `start`, and leaves it standing there. A host
 * without a shell shows the end of it, and is believed for the rest.
 */
async function isSame(
  run: CopyRun,
  peer: CopyPeer,
  sftp: SftpClient,
  handle: SftpHandle,
  part: string,
  file: Deno.FsFile,
  start: number,
  hash: Hash,
): Promise<boolean> {
  const asking = remoteHashOf(run, peer, part, start);
  asking.catch(() => {}); // seen below
  const tail = new Uint8Array(Math.min(TAIL_BYTES, start));
  const buffer = new Uint8Array(READ_BYTES);
  for (let at = 0; at < start;) {
    const read = await file.read(buffer.subarray(0, Math.min(READ_BYTES, start - at)));
    if (read === null) return false;
    hash.update(buffer.subarray(0, read));
    const from = start - tail.length - at;
    if (from < read) tail.set(buffer.subarray(Math.max(0, from), read), Math.max(0, -from));
    at += read;
  }
  const there = await asking;
  if (there !== undefined) return there === hash.copy().digest("hex");
  return await endsWith(run, sftp, handle, start, tail);
}
