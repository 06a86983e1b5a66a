import { setTimeout as delay } from "node:timers/promises";
import { readFully } from "./copy_file.ts";
import { shown } from "./copy_names.ts";
import { SPAN_BYTES } from "./copy_part.ts";
import { type CopyPeer, WORTH_BYTES } from "./copy_peer.ts";
import type { CopyRun } from "./copy_run.ts";
import type { SessionSource } from "./session_source.ts";
import type { SftpClient } from "./sftp_client.ts";
import { close, flush, openToWrite, type SftpHandle } from "./sftp_files.ts";
import { writePacket } from "../wire/sftp.ts";

/** A round trip shorter than this fills any window: further channels would only cost. */
const SHORT_RTT_MS = 3;
/** Answers that come within so many round trips have not waited behind our own data: the window is the limit. */
const UNQUEUED = 1.5;
/** So much a channel has to be answered before it is judged: on a link that is full, that is a queue to be seen. */
const ROUND_BYTES = 512 * 1024;
/** Every further channel takes four round trips to open: few steps are better than many. */
const GROWTH = 4;
/** Read from the local file at once. */
const READ_AHEAD_BYTES = 1024 * 1024;

export interface ChannelSource {
  readonly file: Deno.FsFile;
  readonly path: string;
  readonly size: number;
  /** Bytes at the beginning that the host has already; the file stands behind them. */
  readonly start: number;
  /** Sees all bytes from `start` on, in order. */
  readonly onRead?: (data: Uint8Array) => void;
  /** The shortest answer seen so far, in milliseconds. */
  readonly rttMs: number;
}

/**
 * Sends the contents of one large file over one SFTP channel, and over more when that pays: sshd's window of 2 MiB a
 * channel is then the limit, which shows in answers that come as fast as on an idle link. All write their pieces to the
 * same remote file; none is further ahead than {@linkcode SPAN_BYTES} of the first byte that is not confirmed.
 */
export class CopyChannels {
  readonly #run: CopyRun;
  readonly #peer: CopyPeer;
  readonly #source: ChannelSource;
  readonly #remote: string;
  readonly #workers: Promise<void>[] = [];
  readonly #unconfirmed = new Set<number>();
  #next: number;
  #read: Promise<unknown> = Promise.resolve();
  /** What has been read and not been given out. */
  #ahead: Uint8Array = new Uint8Array();
  #buffer: Uint8Array | undefined;
  #readBytes: number;
  #failure: { readonly error: unknown } | undefined;
  #waiting: (() => void)[] = [];
  #growing = false;
  #channels = 0;
  /** Of the last round of answers. */
  #answered = { bytes: 0, count: 0, totalMs: 0 };
  #rttMs: number;
  #short = false;
  /** What was sent before has nothing to say about the channels that there are now. */
  #grownAt = 0;

  constructor(run: CopyRun, peer: CopyPeer, source: ChannelSource, remote: string) {
    this.#run = run;
    this.#peer = peer;
    this.#source = source;
    this.#remote = remote;
    this.#next = this.#readBytes = source.start;
    this.#rttMs = source.rttMs;
  }

  /** Bytes from the beginning that are confirmed without a gap. */
  get confirmedBytes(): number {
    return this.#unconfirmed.size === 0 ? this.#next : Math.min(...this.#unconfirmed);
  }

  /** Sends everything, beginning with the channel that is open. The file may have turned out shorter: see `sentBytes`. */
  async send(sftp: SftpClient, handle: SftpHandle): Promise<void> {
    this.#start(sftp, handle);
    if (this.#peer.further !== undefined) this.#growAtOnce(this.#peer.further);
    // Grows while it is waited for.
    for (let at = 0; at < this.#workers.length; at++) await this.#workers[at];
    if (this.#failure) throw this.#failure.error;
  }

  /** Whether what was sent has been flushed to the host's disk, too. */
  get isFlushed(): boolean {
    return this.#durable;
  }

  get #durable(): boolean {
    return this.#peer.further !== undefined;
  }

  /** Channels that were used. */
  get channels(): number {
    return this.#channels;
  }

  /** Whether the file ended before its size. */
  get isShort(): boolean {
    return this.#short;
  }

  #start(sftp: SftpClient, handle: SftpHandle): void {
    this.#channels++;
    this.#workers.push(this.#work(sftp, handle).catch((error) => this.#fail(error)));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#allGiven.abort(); // no login is waited for before it is told
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #work(sftp: SftpClient, handle: SftpHandle): Promise<void> {
    const { signal } = this.#run;
    const { size, path } = this.#source;
    const answers: Promise<void>[] = [];
    while (!this.#failure && !this.#short && this.#next < size) {
      signal.throwIfAborted();
      const reservation = await sftp.reserve(sftp.writeBytes, signal);
      if (this.#next - this.confirmedBytes >= SPAN_BYTES) {
        reservation.release();
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      const offset = this.#next;
      const length = Math.min(sftp.writeBytes, size - offset);
      if (length <= 0 || this.#failure || this.#short) {
        reservation.release();
        break;
      }
      this.#next += length;
      this.#unconfirmed.add(offset);
      const packet = writePacket(handle.id, offset, length);
      try {
        await this.#readNext(packet.data);
      } catch (error) {
        reservation.release();
        throw error;
      }
      const sentAt = performance.now();
      const sent = await sftp.send((id) => packet.finish(id, length), { signal, reservation });
      const answer = sftp.ask(sent, "status", "Cannot write a remote file", shown(handle.path)).then(() => {
        this.#unconfirmed.delete(offset);
        this.#wake();
        this.#run.progress(path, length);
        this.#measure(length, sentAt);
      }).catch((error) => this.#fail(error));
      answers.push(answer);
    }
    if (this.#durable && !this.#failure && !this.#short) {
      // Behind its last data, in the same flight: when all channels have their answer, everything is on the disk.
      answers.push(flush(sftp, handle, { signal }).catch((error) => this.#fail(error)));
    }
    // Nobody is to wait for a session that has nothing left to do.
    this.#allGiven.abort();
    await Promise.all(answers);
  }

  /** Pieces are read in the order in which they were given out. */
  #readNext(data: Uint8Array): Promise<void> {
    const reading = this.#read.then(async () => {
      let read = 0;
      while (read < data.length) {
        if (this.#ahead.length === 0) await this.#readAhead();
        if (this.#ahead.length === 0) break;
        const part = this.#ahead.subarray(0, data.length - read);
        data.set(part, read);
        read += part.length;
        this.#ahead = this.#ahead.subarray(part.length);
      }
      if (read < data.length) {
        this.#short = true; // the rest is zeros, which nobody will see: the file has changed
      }
      this.#source.onRead?.(data.subarray(0, read));
    });
    this.#read = reading.catch(() => {});
    return reading;
  }

  /** A read is a turn of another thread: for the 32 KiB of one message it takes longer than sending them. */
  async #readAhead(): Promise<void> {
    const left = Math.max(1, this.#source.size - this.#readBytes);
    const buffer = this.#buffer ??= new Uint8Array(Math.min(READ_AHEAD_BYTES, left));
    const read = await readFully(this.#source.file, buffer.subarray(0, left));
    this.#readBytes += read;
    this.#ahead = buffer.subarray(0, read);
  }

  #measure(bytes: number, sentAt: number): void {
    const tookMs = performance.now() - sentAt;
    this.#rttMs = Math.min(this.#rttMs, tookMs);
    if (this.#growing || sentAt < this.#grownAt) return;
    const round = this.#answered;
    round.bytes += bytes;
    round.count++;
    round.totalMs += tookMs;
    if (round.bytes < ROUND_BYTES * this.#channels) return;
    this.#answered = { bytes: 0, count: 0, totalMs: 0 };
    if (this.#rttMs >= SHORT_RTT_MS && round.totalMs / round.count < this.#rttMs * UNQUEUED) {
      void this.#grow();
    }
  }

  /** Four times as many, as far as there is work for them. */
  async #grow(): Promise<void> {
    const left = this.#source.size - this.#next;
    const wanted = Math.min(
      this.#channels * GROWTH,
      this.#peer.parallel,
      this.#channels + Math.floor(left / WORTH_BYTES),
    );
    if (wanted <= this.#channels) return;
    this.#growing = true;
    const signal = AbortSignal.any([this.#run.signal, this.#allGiven.signal]);
    const opened = Array.from({ length: wanted - this.#channels }, async (_, more) => {
      const sftp = await this.#peer.client(this.#channels + more, signal);
      return { sftp, handle: await openToWrite(sftp, this.#remote, { signal }) };
    });
    const working = Promise.allSettled(opened).then((ends) => {
      for (const end of ends) {
        // One that cannot be had is no failure: those that are there go on.
        if (end.status === "fulfilled") this.#startFurther(end.value.sftp, end.value.handle);
        else this.#refused = true;
      }
      this.#growing = this.#refused;
      this.#grownAt = performance.now();
    });
    this.#workers.push(working);
    await working;
  }

  /** Takes the clients that were opened ahead, each as it comes, and those of another connection when that is there. */
  #growAtOnce(further: Promise<SessionSource | undefined>): void {
    this.#growing = true;
    const signal = AbortSignal.any([this.#run.signal, this.#allGiven.signal]);
    for (let index = 1; this.#peer.isWarm(index); index++) {
      this.#join(this.#peer.client(index), signal);
    }
    const others = async () => {
      const source = await until(further, signal).catch(() => undefined);
      const left = this.#source.size - this.#next;
      this.#growing = source !== undefined; // where none comes, there may be more of those that there are
      const count = Math.min(source?.parallel ?? 0, Math.floor(left / WORTH_BYTES));
      // One after the other: all their first windows at once would be a queue, in which each would take the way for full.
      for (let more = 0; more < count; more++) {
        this.#join(this.#peer.furtherClient(source!, signal), signal, this.#rttMs * more / count);
      }
    };
    this.#workers.push(others());
  }

  /** One that cannot be had, or comes when all is given out, is no failure. */
  #join(opening: Promise<SftpClient>, signal: AbortSignal, delayMs = 0): void {
    const joining = (async () => {
      const sftp = await until(opening, signal);
      const handle = await openToWrite(sftp, this.#remote, { signal });
      if (delayMs > 0) await delay(delayMs, undefined, { signal });
      this.#startFurther(sftp, handle);
    })();
    this.#workers.push(joining.catch(() => {}));
  }

  #refused = false;
  /** Aborted when there is nothing left for a further channel. */
  readonly #allGiven = new AbortController();

  #startFurther(sftp: SftpClient, handle: SftpHandle): void {
    this.#channels++;
    this.#workers.push(
      this.#work(sftp, handle)
        // What was written is confirmed; what closing says adds nothing.
        .finally(() => close(sftp, handle, { urgent: true }).catch(() => {}))
        .catch((error) => this.#fail(error)),
    );
  }
}

/** What comes, unless the signal is aborted before. */
async function until<T>(coming: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([coming, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
