import { CopyError } from "../base/errors.ts";
import { localError, remoteError } from "./copy_errors.ts";
import { shown, temporaryBeside } from "./copy_names.ts";
import type { CopyRun } from "./copy_run.ts";
import type { LocalEntry } from "./local_tree.ts";
import type { SftpClient } from "./sftp_client.ts";
import { sendWrite } from "./sftp_data.ts";
import { close, createFile, flush, remove, setAttributes, type SftpHandle } from "./sftp_files.ts";
import { replace } from "./sftp_replace.ts";

/** The bits that `chmod` takes without the set-ID and sticky ones. */
const PLAIN_MODE_BITS = 0o777;
const ALL_MODE_BITS = 0o7777;
/**
 * What a directory must allow its owner while it is filled. It has its own mode besides from the start: after a break
 * it is a directory that was there already, and keeps what it has.
 */
export const OWNER = 0o700;

/**
 * Copies one local file to `target`, in three flights: OPEN of a temporary name; all data, its attributes, FSYNC and
 * CLOSE together; and when every one of those is confirmed, the rename. Trouble with the source leaves the file out;
 * trouble with the target is thrown. Either way the temporary file is removed.
 */
export async function copyFile(
  run: CopyRun,
  sftp: SftpClient,
  source: LocalEntry,
  target: string,
): Promise<void> {
  const what = `Cannot copy ${shown(source.path)}`;
  const { signal } = run;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(source.path);
  } catch (cause) {
    run.leaveOut(localError(cause, what, source.path) as CopyError);
    return;
  }
  const temporary = temporaryBeside(target);
  let handle: SftpHandle | undefined;
  let made = true;
  let inPlace = false;
  try {
    handle = await createFile(sftp, temporary, { signal }).catch(async (error) => {
      // Only a refusal says that there is nothing to remove.
      made = signal.aborted;
      throw await remoteError(sftp, error, what, target);
    });
    const before = await file.stat();
    const { size, confirmed } = await sendContents(run, sftp, file, handle, source);
    const after = await file.stat();
    if (size !== before.size || after.size !== size || after.mtime?.getTime() !== before.mtime?.getTime()) {
      run.leaveOut(changed(what, source.path, before.size, Math.max(size, after.size)));
      return;
    }
    const open = handle;
    handle = undefined; // whatever its reply, the handle is gone
    const attributes = { permissions: fileMode(run, before.mode), mtime: seconds(before.mtime) };
    await together(
      confirmed,
      setAttributes(sftp, open, attributes, { signal }),
      flush(sftp, open, { signal }),
      close(sftp, open, { signal }),
    );
    await replace(sftp, temporary, target, { signal });
    inPlace = true;
    run.placed(source.relative, size);
  } catch (error) {
    throw await remoteError(sftp, localError(error, what, source.path), what, target);
  } finally {
    file.close();
    if (!inPlace && made) {
      await run.tidy(
        ...handle ? [close(sftp, handle, { urgent: true })] : [],
        remove(sftp, temporary, { urgent: true }),
      );
    }
  }
}

/** Sends a file from its beginning to its end; resolves when all of it is written, `confirmed` when it has arrived. */
async function sendContents(
  run: CopyRun,
  sftp: SftpClient,
  file: Deno.FsFile,
  handle: SftpHandle,
  source: LocalEntry,
): Promise<{ readonly size: number; readonly confirmed: Promise<void> }> {
  const { signal } = run;
  let failure: { readonly error: unknown } | undefined;
  const unconfirmed = new Set<Promise<void>>();
  let offset = 0;
  // One byte more than the file is said to have shows in the same read whether it has grown.
  let capacity = Math.min(sftp.writeBytes, source.info.size + 1);
  while (failure === undefined) {
    const sent = await sendWrite(sftp, handle, offset, capacity, (data) => readFully(file, data), { signal });
    if (sent === undefined) break;
    offset += sent.length;
    const confirmed: Promise<void> = sent.written
      .then(() => run.progress(source.relative, sent.length))
      .catch((error) => void (failure ??= { error }))
      .finally(() => unconfirmed.delete(confirmed));
    unconfirmed.add(confirmed);
    if (sent.length < capacity) break; // the end of the file
    capacity = sftp.writeBytes;
  }
  // Before the caller compares sizes: what was not read for this reason is no change of the source.
  if (failure) throw failure.error;
  const confirmed = Promise.all(unconfirmed).then(() => {
    if (failure) throw failure.error;
  });
  confirmed.catch(() => {}); // the caller's to see, when it awaits it
  return { size: offset, confirmed };
}

/** Fills `data` unless the file ends; a read may give less than there is. */
export async function readFully(file: Deno.FsFile, data: Uint8Array): Promise<number> {
  let length = 0;
  while (length < data.length) {
    const read = await file.read(data.subarray(length));
    if (read === null) break;
    length += read;
  }
  return length;
}

/** Waits for all of them, then throws the first failure: none is left behind unheard. */
export async function together(...tasks: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}

export function changed(what: string, path: string, before: number, after: number): CopyError {
  return new CopyError("local-failed", {
    what,
    where: shown(path),
    why: before === after
      ? "it was written to while it was read"
      : `it changed from ${before} to ${after} bytes while it was read`,
    fix: "copy it when nobody writes to it",
  });
}

/** The mode that a file gets; 0644 where this system has no modes. */
export function fileMode(run: CopyRun, mode: number | null | undefined): number {
  if (run.options.mode !== undefined) return run.options.mode & ALL_MODE_BITS;
  return (mode ?? 0o644) & (run.options.specialBits ? ALL_MODE_BITS : PLAIN_MODE_BITS);
}

/** The mode that a new directory gets; 0755 where this system, or the server, tells none. */
export function directoryMode(run: CopyRun, mode: number | null | undefined): number {
  return (mode ?? 0o755) & (run.options.specialBits ? ALL_MODE_BITS : PLAIN_MODE_BITS);
}

/** Seconds since 1970 as version 3 sends them: whole, from 0 to 2^32 − 1. */
export function seconds(time: Date | null): number | undefined {
  return time === null ? undefined : Math.min(Math.max(Math.floor(time.getTime() / 1000), 0), 0xffffffff);
}
