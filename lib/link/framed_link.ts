import { CarpoolError } from "../base/errors.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import { MuxFrames } from "../wire/mux.ts";
import { type ByteConn, SlabReader } from "./slab_reader.ts";

export type { ByteConn } from "./slab_reader.ts";

/** Below this many bytes not yet written, those who wait for room go on. */
const LOW_WATER_BYTES = 128 * 1024;

/** What waits to be written is gathered in pieces of at least and at most this size. */
const MIN_PIECE_BYTES = 4 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;

/**
 * What is sent within so many turns of promises leaves together: who starts a command ends its input two turns later,
 * and each write wakes the keeper, and through it the server.
 */
const GATHER_TURNS = 4;

/** `uint32 length · byte 0` before each message */
const HEADER_BYTES = 5;

/** How long the last bytes may take to leave, or to arrive, once the end has come. */
const PARTING_MS = 500;

/** Part of the stream that is going out: written up to `start`, filled up to `end`. */
interface Piece {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

/**
 * A link over a control socket in proxy mode, from either end: each message as `uint32 length · byte 0 · message`
 * (PROTOCOL.mux §9; the byte stands where a packet has its padding length).
 */
export class FramedLink implements Link {
  readonly where: string;
  readonly rttMs: number | undefined;
  readonly closed: Promise<CloseInfo>;
  readonly #conn: ByteConn;
  readonly #resolveClosed: (info: CloseInfo) => void;
  readonly #frames = new MuxFrames();
  readonly #early: Uint8Array[] = [];
  readonly #lostWhy: string;
  #handler: ((payload: Uint8Array) => void) | undefined;
  readonly #pieces: Piece[] = [];
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #drained: (() => void)[] = [];
  #writeError: unknown;
  #partingTimer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  #closing: Promise<void> | undefined;
  #connClosed = false;

  /**
   * @param initial bytes that were read from the socket before it went into proxy mode and belong to it.
   * @param lostWhy what to say when the other end closes the socket.
   */
  constructor(
    conn: ByteConn,
    where: string,
    options: { initial?: Uint8Array; lostWhy?: string; rttMs?: number } = {},
  ) {
    this.where = where;
    this.rttMs = options.rttMs;
    this.#conn = conn;
    this.#lostWhy = options.lostWhy ?? "the master closed the control socket";
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    if (options.initial) this.#frames.push(options.initial);
    this.#read();
  }

  get queuedBytes(): number {
    return this.#ended ? 0 : this.#queuedBytes;
  }

  drained(): Promise<void> {
    if (this.#ended || this.#queuedBytes < LOW_WATER_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /**
   * Copies the message into the stream that is going out: so a message that waits for a slow reader holds only its
   * own bytes, never the slab that it was read into.
   */
  send(payload: Uint8Array): void {
    if (this.#ended || this.#writeError !== undefined) return;
    const size = HEADER_BYTES + payload.length;
    const length = payload.length + 1;
    const piece = this.#pieceFor(size);
    const { bytes, end } = piece;
    bytes[end] = length >>> 24;
    bytes[end + 1] = length >>> 16;
    bytes[end + 2] = length >>> 8;
    bytes[end + 3] = length;
    bytes[end + 4] = 0;
    bytes.set(payload, end + HEADER_BYTES);
    piece.end += size;
    this.#queuedBytes += size;
    this.#writing ??= this.#write();
  }

  #pieceFor(size: number): Piece {
    const last = this.#pieces.at(-1);
    if (last && last.bytes.length - last.end >= size) return last;
    const wanted = Math.min(Math.max(this.#queuedBytes * 2, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
    const piece = { bytes: new Uint8Array(Math.max(size, wanted)), start: 0, end: 0 };
    this.#pieces.push(piece);
    return piece;
  }

  async #write(): Promise<void> {
    for (let turn = 0; turn < GATHER_TURNS; turn++) await Promise.resolve();
    try {
      for (let piece = this.#pieces[0]; piece; piece = this.#pieces[0]) {
        if (piece.start < piece.end) {
          const written = await this.#conn.write(piece.bytes.subarray(piece.start, piece.end));
          piece.start += written;
          this.#queuedBytes -= written;
          if (this.#queuedBytes < LOW_WATER_BYTES) this.#wakeDrained();
        } else if (this.#pieces.length > 1 || piece.bytes.length > MIN_PIECE_BYTES) {
          this.#pieces.shift();
        } else {
          piece.start = piece.end = 0; // kept for the next message
          break;
        }
      }
    } catch (error) {
      this.#writeFailed(error);
    } finally {
      this.#writing = undefined;
    }
  }

  /** The other end has gone; what it sent before is still to be read, perhaps how a command ended. */
  #writeFailed(error: unknown): void {
    this.#writeError = error;
    this.#pieces.length = 0;
    this.#queuedBytes = 0;
    this.#wakeDrained();
    if (this.#ended) return;
    this.#partingTimer = setTimeout(
      () => this.#end({ how: "lost", why: this.#lostWhy, error }),
      PARTING_MS,
    );
  }

  #wakeDrained(): void {
    if (this.#drained.length === 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  receive(handler: (payload: Uint8Array) => void): void {
    this.#handler = handler;
    for (const payload of this.#early.splice(0)) this.#handle(payload);
  }

  async #read(): Promise<void> {
    const reader = new SlabReader(this.#conn);
    try {
      this.#deliver();
      while (!this.#ended) {
        const bytes = await reader.read();
        if (bytes === null) break;
        this.#frames.push(bytes);
        this.#deliver();
      }
      this.#end({ how: "lost", why: this.#lostWhy, error: this.#writeError });
    } catch (error) {
      if (error instanceof CarpoolError) this.#end({ how: "failed", why: error.message, error });
      else this.#end({ how: "lost", why: this.#lostWhy, error });
    }
  }

  #deliver(): void {
    for (let frame = this.#frames.takeBytes(); frame; frame = this.#frames.takeBytes()) {
      if (this.#ended) return;
      if (frame.length < 2) continue; // a frame without a message
      const payload = frame.subarray(1);
      if (this.#handler) this.#handle(payload);
      else this.#early.push(payload);
    }
  }

  /** A fault of whoever handles the messages ends this link, and says so: it is not the other end's doing. */
  #handle(payload: Uint8Array): void {
    try {
      this.#handler!(payload);
    } catch (error) {
      const why = error instanceof CarpoolError ? error.message : "a message could not be handled";
      this.close({ how: "failed", why, error });
    }
  }

  /** Ends the link after what is queued has been written, or 500 ms, whichever comes first. Idempotent. */
  close(info: CloseInfo = { how: "closed", why: "closed by this side" }): Promise<void> {
    return this.#closing ??= this.#close(info);
  }

  async #close(info: CloseInfo): Promise<void> {
    if (this.#ended) return;
    this.#end(info, false);
    if (this.#writing) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const parted = new Promise<void>((resolve) => timer = setTimeout(resolve, PARTING_MS));
      await Promise.race([this.#writing, parted]);
      clearTimeout(timer);
    }
    this.#closeConn();
  }

  #end(info: CloseInfo, closeConn = true): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#partingTimer !== undefined) clearTimeout(this.#partingTimer); // its first use takes 5 ms
    this.#wakeDrained();
    if (closeConn) this.#closeConn();
    this.#resolveClosed(info);
  }

  #closeConn(): void {
    if (this.#connClosed) return;
    this.#connClosed = true;
    this.#pieces.length = 0;
    try {
      this.#conn.close();
    } catch {
      // Already closed by the runtime after an error: that is what we wanted.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
