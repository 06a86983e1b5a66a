import { CopyError } from "../base/errors.ts";
import type { SftpAttributes } from "../wire/sftp.ts";
import { pullBySsh } from "./copy_by_ssh.ts";
import { localError, remoteError } from "./copy_errors.ts";
import { fileMode, readFully } from "./copy_file.ts";
import { endsWith, KEPT_BYTES, LARGE_BYTES, partBeside, remoteHashOf, TAIL_BYTES } from "./copy_part.ts";
import type { CopyPeer } from "./copy_peer.ts";
import { shown, temporaryBeside } from "./copy_names.ts";
import type { CopyRun } from "./copy_run.ts";
import { GatheringWriter } from "./gathering_writer.ts";
import { hashFile } from "./local_hash.ts";
import type { RemoteEntry } from "./fetch_list.ts";
import type { SftpClient } from "./sftp_client.ts";
import type { Reservation, Sent } from "./sftp_sent.ts";
import { readReply, sendRead } from "./sftp_data.ts";
import { close, fileKind, fstat, isStatus, openFile, type SftpHandle, stat } from "./sftp_files.ts";

/** A file that says it is empty and is not (those of /proc) is read to its end, which must come before this. */
const MAX_UNSIZED_BYTES = 64 * 1024 * 1024;
/** So much of the end of what `ssh` has fetched is compared with what was opened. */
const COMPARED_BYTES = 64 * 1024;
/** To see that an empty file is empty, little is asked for: many of them are to go together. */
const UNSIZED_READ_BYTES = 4096;

/**
 * Fetches one remote file to `target`, in two flights and one for each further 2 MiB: OPEN; FSTAT and the
 * READs together. Trouble with the source leaves the file out; trouble here is thrown. Either way the temporary file
 * is removed.
 */
export async function fetchFile(
  run: CopyRun,
  peer: CopyPeer,
  sftp: SftpClient,
  source: RemoteEntry,
  target: string,
): Promise<void> {
  const what = `Cannot fetch ${shown(source.path)}`;
  const { signal } = run;
  let handle: SftpHandle | undefined;
  try {
    handle = await openFile(sftp, source.path, { signal });
    for (let anew = false; !await receive(run, peer, sftp, handle, source, target, what, anew);) {
      if (anew) throw differs(sftp, source, what);
      anew = true;
    }
  } catch (error) {
    if (!isStatus(error)) throw error;
    run.leaveOut(await remoteError(sftp, error, what, source.path) as CopyError);
  } finally {
    // Nothing depends on its answer.
    if (handle) close(sftp, handle, { urgent: true }).catch(() => {});
  }
}

/** False where what has arrived is not what the host has: a part that was gone on with was not what it seemed. */
async function receive(
  run: CopyRun,
  peer: CopyPeer,
  sftp: SftpClient,
  handle: SftpHandle,
  source: RemoteEntry,
  target: string,
  what: string,
  anew: boolean,
): Promise<boolean> {
  const { signal } = run;
  const large = (source.attributes.size ?? 0) >= LARGE_BYTES;
  const { size: listed, mtime } = source.attributes;
  // The part has this name only while nobody works on it: of two fetches of one file, one goes on with it.
  const part = large && !anew ? partBeside(target, sftp.where, source.path, listed, mtime) : undefined;
  const temporary = temporaryBeside(target);
  const looking = fstat(sftp, handle, { signal });
  looking.catch(() => {}); // seen below, after the first READ is on its way
  let reads = new ReadAhead(sftp, handle, signal);
  let file: Deno.FsFile | undefined;
  let inPlace = false;
  let got = 0;
  let broken = false;
  let claimed = false;
  try {
    const ride = anew ? undefined : await peer.ride(listed ?? 0, signal);
    if (!ride) await reads.ask(Math.min(sftp.readBytes, listed || UNSIZED_READ_BYTES));
    const attributes = await looking;
    if (fileKind(attributes) !== "file" && fileKind(attributes) !== "unknown") {
      run.leaveOut(fault(sftp, source, what, "it is no longer a regular file"));
      return true;
    }
    const size = attributes.size ?? 0;
    const same = size === listed && attributes.mtime === mtime;
    claimed = part !== undefined && same && await claim(part, temporary);
    const start = claimed ? await usableBytes(run, peer, sftp, handle, source, temporary) : 0;
    if (start > 0) {
      reads.end();
      reads = new ReadAhead(sftp, handle, signal, start);
      file = await Deno.open(temporary, { write: true });
      await file.seek(start, Deno.SeekMode.Start);
      got = start;
      run.resumed(source.relative, start);
    } else {
      file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    }
    const progress = (bytes: number) => {
      got += bytes;
      if (bytes > 0) run.progress(source.relative, bytes);
    };
    if (ride && got < size) {
      const onLook = (bytes: number) => got = bytes;
      const open = file;
      const { path: remote, relative } = source;
      const came = await pullBySsh(run, ride, {
        ...{ relative, local: temporary, remote, size, start, onLook, flush: () => open.sync() },
      });
      got = await rightBytes(run, sftp, handle, source, { local: temporary, came, size, start });
      if (got < came) await file.truncate(got);
      await file.seek(got, Deno.SeekMode.Start);
      reads.end();
      reads = new ReadAhead(sftp, handle, signal, got);
    }
    if (got < size || size === 0) await transfer(reads, file, size, sftp.readBytes, got, progress);
    if (got < size || (size === 0 && got > MAX_UNSIZED_BYTES)) {
      const why = got < size
        ? `it shrank from ${size} to ${got} bytes while it was read`
        : `it says that it is empty, and has more than ${MAX_UNSIZED_BYTES} bytes`;
      run.leaveOut(fault(sftp, source, what, why, "fetch it when nobody writes to it"));
      return true;
    }
    await finish(run, file, temporary, attributes);
    if (start > 0 || (large && run.options.verify)) {
      const there = await remoteHashOf(run, peer, source.path, size);
      if (there !== undefined && there !== await hashFile(temporary)) return false;
    }
    signal.throwIfAborted();
    await Deno.rename(temporary, target);
    inPlace = true;
    run.placed(source.relative, got);
    return true;
  } catch (error) {
    broken = signal.aborted || (error instanceof CopyError && error.code === "interrupted");
    throw localError(error, what, target);
  } finally {
    reads.end();
    file?.close();
    // A part that may be gone on with stays.
    if ((file || claimed) && !inPlace) {
      const keeps = part !== undefined && broken && (!file || got >= KEPT_BYTES);
      await (keeps ? Deno.rename(temporary, part) : Deno.remove(temporary)).catch(() => {});
    }
  }
}

/**
 * How much of what `ssh` has fetched is the beginning of the file that was opened. `ssh` has opened it by its name, which
 * another file may have taken meanwhile; what a start-up file there has printed would stand before it; and whatever ran
 * there in place of our script, its bytes are not taken for the file's: the last of them are compared.
 */
async function rightBytes(
  run: CopyRun,
  sftp: SftpClient,
  handle: SftpHandle,
  source: RemoteEntry,
  { local, came, size, start }: {
    readonly local: string;
    readonly came: number;
    readonly size: number;
    readonly start: number;
  },
): Promise<number> {
  const { signal } = run;
  const [opened, named] = await Promise.all([
    fstat(sftp, handle, { signal }),
    stat(sftp, source.path, true, { signal }).catch(() => undefined),
  ]);
  const same = named?.size === opened.size && named?.mtime === opened.mtime;
  const grown = came > size && (opened.size ?? 0) > size;
  if (!same || !(came <= size || grown)) return start;
  const right = Math.min(came, size);
  const tail = new Uint8Array(Math.min(COMPARED_BYTES, right - start));
  using file = await Deno.open(local);
  await file.seek(right - tail.length, Deno.SeekMode.Start);
  await readFully(file, tail);
  return await endsWith(run, sftp, handle, right, tail) ? right : start;
}

/** Takes a part that an earlier fetch has left; whether there was one. */
async function claim(part: string, temporary: string): Promise<boolean> {
  const there = await Deno.lstat(part).catch(() => undefined);
  // In a directory that others may write to, a file of that name could be theirs, or lead elsewhere.
  const ours = there?.isFile && (there.uid === null || there.uid === Deno.uid());
  return ours === true && await Deno.rename(part, temporary).then(() => true, () => false);
}

/** How much of a part is what the host has; 0 when it is not, and then the part is gone. */
async function usableBytes(
  run: CopyRun,
  peer: CopyPeer,
  sftp: SftpClient,
  handle: SftpHandle,
  source: RemoteEntry,
  part: string,
): Promise<number> {
  using file = await Deno.open(part);
  const { size } = await file.stat();
  let good = size > 0 && size <= (source.attributes.size ?? 0);
  if (good) {
    const [theirs, mine] = await Promise.all([remoteHashOf(run, peer, source.path, size), hashFile(part)]);
    const tail = new Uint8Array(Math.min(TAIL_BYTES, size));
    await file.seek(size - tail.length, Deno.SeekMode.Start);
    await readFully(file, tail);
    good = theirs === undefined ? await endsWith(run, sftp, handle, size, tail) : theirs === mine;
  }
  if (!good) await Deno.remove(part);
  return good ? size : 0;
}

/** Moves data in order, from `start` on. What is appended meanwhile is not fetched: `size` is the end. */
async function transfer(
  reads: ReadAhead,
  file: Deno.FsFile,
  size: number,
  chunkBytes: number,
  start: number,
  progress: (bytes: number) => void,
): Promise<void> {
  let got = start;
  const end = size === 0 ? MAX_UNSIZED_BYTES + 1 : size;
  const writer = new GatheringWriter(file);
  try {
    for (;;) {
      if (reads.idle) await reads.ask(Math.min(chunkBytes, end - reads.asked));
      // Ahead as far as there is room; a file without a size is read step by step.
      while (size > 0 && reads.asked < end && reads.askAhead(Math.min(chunkBytes, end - reads.asked)));
      const chunk = await reads.next();
      const data = chunk.data.subarray(0, end - got);
      got += data.length;
      await writer.write(data, () => {
        chunk.release();
        progress(data.length);
      });
      if (chunk.ended || got >= end) break;
      // Whoever reads ahead waits for room, which is made by writing.
      if (reads.idle) await writer.finish();
    }
  } finally {
    await writer.finish(); // what has arrived is kept: the next fetch may go on from there
  }
}

/** Mode, time and contents on the disk, before the file gets its name. */
async function finish(
  run: CopyRun,
  file: Deno.FsFile,
  temporary: string,
  attributes: SftpAttributes,
): Promise<void> {
  if (Deno.build.os !== "windows") await Deno.chmod(temporary, fileMode(run, attributes.permissions));
  if (attributes.mtime !== undefined) {
    await file.utime(attributes.atime ?? attributes.mtime, attributes.mtime);
  }
  await file.sync();
}

/** As for writing: see `copy_channels.ts`. */
const SHORT_RTT_MS = 3;
const UNQUEUED = 1.5;
const ROUND_BYTES = 1024 * 1024;

/** READs of one file, asked ahead and answered in order, whatever order the server answers in. */
class ReadAhead {
  readonly #sftp: SftpClient;
  readonly #handle: SftpHandle;
  readonly #signal: AbortSignal;
  readonly #queue: {
    readonly sent: Promise<Sent>;
    readonly reservation: Reservation;
    readonly offset: number;
    readonly length: number;
  }[] = [];
  #round = { bytes: 0, count: 0, totalMs: 0 };
  #rttMs = Infinity;
  #widenedAt = 0;
  /** Where the next question begins. */
  asked: number;

  constructor(sftp: SftpClient, handle: SftpHandle, signal: AbortSignal, start = 0) {
    this.asked = start;
    this.#sftp = sftp;
    this.#handle = handle;
    this.#signal = signal;
  }

  get idle(): boolean {
    return this.#queue.length === 0;
  }

  /** Only when idle: see {@linkcode SftpClient.tryReserve}. */
  async ask(length: number): Promise<void> {
    this.#send(length, await this.#sftp.reserve(length, this.#signal));
  }

  /** Whether there was room to ask for more. */
  askAhead(length: number): boolean {
    const reservation = this.#sftp.tryReserve(length);
    if (reservation) this.#send(length, reservation);
    return reservation !== undefined;
  }

  #send(length: number, reservation: Reservation): void {
    const offset = this.asked;
    this.asked += length;
    const sent = sendRead(this.#sftp, this.#handle, offset, length, { signal: this.#signal, reservation });
    const sentAt = performance.now();
    sent.then(({ reply }) => reply).then(() => this.#measure(length, sentAt))
      .catch(() => {}); // seen when its turn comes
    this.#queue.push({ sent, reservation, offset, length });
  }

  /** Asks for more at a time where answers do not wait behind each other: then it is the round trip that limits. */
  #measure(bytes: number, sentAt: number): void {
    const tookMs = performance.now() - sentAt;
    this.#rttMs = Math.min(this.#rttMs, tookMs);
    if (sentAt < this.#widenedAt) return;
    const round = this.#round;
    round.bytes += bytes;
    round.count++;
    round.totalMs += tookMs;
    if (round.bytes < ROUND_BYTES) return;
    if (this.#rttMs >= SHORT_RTT_MS && round.totalMs / round.count < this.#rttMs * UNQUEUED) {
      this.#sftp.widen();
      this.#widenedAt = performance.now();
    }
    this.#round = { bytes: 0, count: 0, totalMs: 0 };
  }

  /** The next data in order. `release` it when it is written. `ended`: the file has no more. */
  async next(): Promise<{ readonly data: Uint8Array; readonly ended: boolean; release(): void }> {
    const { sent, reservation, offset, length } = this.#queue[0];
    let data = await readReply(this.#sftp, this.#handle, await sent, length);
    let ended = data.length === 0;
    // A server may give less than asked for. The gap is asked for again past the queue: the budget that this read
    // holds covers it, and to wait for more while later reads hold theirs could be for ever.
    while (data.length < length && !ended) {
      const missing = length - data.length;
      const options = { signal: this.#signal, urgent: true };
      const again = await sendRead(this.#sftp, this.#handle, offset + data.length, missing, options);
      const more = await readReply(this.#sftp, this.#handle, again, missing);
      ended = more.length === 0;
      const joined = new Uint8Array(data.length + more.length);
      joined.set(data);
      joined.set(more, data.length);
      data = joined;
    }
    this.#queue.shift();
    return { data, ended, release: () => reservation.release() };
  }

  /** Gives all room back; what is still to be answered is dropped. */
  end(): void {
    for (const { sent, reservation } of this.#queue) {
      sent.then(({ reply }) => reply).then(() => reservation.release(), () => reservation.release());
    }
    this.#queue.length = 0;
  }
}

function fault(sftp: SftpClient, source: RemoteEntry, what: string, why: string, fix?: string): CopyError {
  return new CopyError("remote-failed", { what, where: `${sftp.where}:${shown(source.path)}`, why, fix });
}

function differs(sftp: SftpClient, source: RemoteEntry, what: string): CopyError {
  return fault(sftp, source, what, "what has arrived differs from what the host has", "check the disk here");
}
