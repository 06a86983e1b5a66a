/** Large files moved by the installed `ssh`: what this process has to do meanwhile is to look how far they have come. */
import type { CopyRun } from "./copy_run.ts";
import { plainPath } from "./copy_look.ts";
import type { SftpClient } from "./sftp_client.ts";
import { flush, fstat, type SftpHandle } from "./sftp_files.ts";
import type { SshRide } from "./ssh_ride.ts";
import { type SshStream, streamBySsh } from "./ssh_stream.ts";
import { streamTurns } from "./stream_turns.ts";

/** How often it is looked how far a file has come. */
const LOOK_MS = 50;
/** So much is flushed at a time. */
const FLUSHED_BYTES = 96 * 1024 * 1024;
/** With so little left, the next stream can start: it takes as long until its first byte moves. */
const ALMOST_BYTES = 24 * 1024 * 1024;

/** A file on its way. */
export interface RiddenFile {
  /** For progress. */
  readonly relative: string;
  readonly local: string;
  readonly remote: string;
  readonly size: number;
  /** Bytes that the other side has, and that are right. */
  readonly start: number;
  /** Called with how far it has come. */
  readonly onLook?: (bytes: number) => void;
  /** Has what is there written to the disk: begun on the way, it takes less time at the end. */
  readonly flush?: () => Promise<void>;
}

/**
 * Sends a file to a part that is there; how much of the part is right then, undefined where it is longer than the file.
 * Less than the size: whatever the reason, whoever goes on from there meets it too, and can say it.
 */
export async function pushBySsh(
  run: CopyRun,
  ride: SshRide,
  sftp: SftpClient,
  handle: SftpHandle,
  file: RiddenFile,
): Promise<number | undefined> {
  const { start, size } = file;
  const there = async () => (await fstat(sftp, handle, { signal: run.signal })).size ?? 0;
  // A part that is gone on with reaches further than what of it is trusted: until its end it does not grow.
  const before = start > 0 ? await there() : 0;
  const flushNow = () => flush(sftp, handle, { signal: run.signal });
  const good = await watch(run, ride, { way: "push", flush: flushNow, ...file }, async () => {
    const now = await there();
    return now > before ? now : start;
  });
  const now = await there();
  if (now > size) return undefined;
  return good && now === size ? size : now > before ? now : start;
}

/** Appends the rest of a file to a part here, which may come out longer than the size; how long it is then. */
export async function pullBySsh(run: CopyRun, ride: SshRide, file: RiddenFile): Promise<number> {
  const here = async () => (await Deno.stat(file.local)).size;
  await watch(run, ride, { way: "pull", ...file }, here);
  return await here();
}

/** Reports progress while `ssh` works, and ends it when the look fails or the file is more than whole. */
async function watch(
  run: CopyRun,
  ride: SshRide,
  file: RiddenFile & Pick<SshStream, "way">,
  look: () => Promise<number>,
): Promise<boolean> {
  const { relative, size, remote, start } = file;
  using turn = await streamTurns.take(run.signal);
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  let seen = start;
  let flushed = start;
  let flushing = false;
  let over = false;
  let ended = () => {};
  const moving = streamBySsh(ride, { ...file, remote: plainPath(remote) }, signal).finally(() => {
    over = true;
    ended();
  });
  moving.catch(() => {}); // seen below
  try {
    for (let last = false; !last;) {
      last = over;
      const now = await look();
      if (now > seen) {
        run.progress(relative, Math.max(0, Math.min(now, size) - seen));
        seen = Math.min(now, size);
        file.onLook?.(seen);
        turn.moved(seen - start);
        if (file.flush && !flushing && seen - flushed >= FLUSHED_BYTES && !over) {
          flushing = true;
          flushed = seen;
          // Whether it succeeds is seen at the end, when everything is flushed.
          file.flush().catch(() => {}).finally(() => flushing = false);
        }
        if (size - seen < ALMOST_BYTES) turn[Symbol.dispose]();
      }
      if (now > size) {
        stop.abort();
        await moving.catch(() => {}); // it has ended; only the caller's own reason matters
        run.signal.throwIfAborted();
        return false;
      }
      if (!over) await pause((wake) => ended = wake);
    }
  } catch (error) {
    stop.abort(error);
    await moving.catch(() => {}); // it has ended
    throw error;
  }
  return await moving;
}

/** Until the next look, or until it is woken. */
async function pause(onWake: (wake: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LOOK_MS);
  onWake(resolve);
  await promise;
  clearTimeout(timer);
}
