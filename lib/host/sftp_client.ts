import { CarpoolError, CopyError, ProtocolError } from "../base/errors.ts";
import {
  encodeExtended,
  encodeHandleRequest,
  encodeInit,
  EXTENSION,
  FX,
  FXP,
  SFTP_VERSION,
} from "../wire/sftp.ts";
import { SftpFrames } from "../wire/sftp_frames.ts";
import { decodeLimits, decodeReply, decodeVersion, type SftpReply } from "../wire/sftp_replies.ts";
import { SftpBudget } from "./sftp_budget.ts";
import { serverCapacity } from "./sftp_capacity.ts";
import type { Reservation, SendOptions, Sent } from "./sftp_sent.ts";
import { SftpStatusError } from "./sftp_status.ts";

/** A session whose subsystem is `sftp`: bytes both ways. */
export interface SftpTransport extends AsyncDisposable {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Where it leads, for messages: `deploy@web1:22`. */
  readonly where: string;
}

export interface SftpClientOptions {
  /** Ends the start; afterwards each call has its own signal. */
  readonly signal?: AbortSignal;
  /** Requests under way at once; default 1024. */
  readonly maxRequests?: number;
  /** Bytes of file data under way at once, and so roughly the memory used; default 2 MiB, a session's window. */
  readonly maxBytesInFlight?: number;
}

/** Memory that one session may use, however long and fast its link is. */
const MAX_WIDENED_BYTES = 32 * 1024 * 1024;

interface Pending {
  readonly resolve: (reply: SftpReply) => void;
  readonly reject: (reason: unknown) => void;
  abandoned: boolean;
}

/**
 * One SFTP session: many requests under way at once, each answered by its id. When the transport ends, or the server
 * breaks the protocol, everything under way rejects with the one reason. What can be asked is in `sftp_files.ts`.
 */
export class SftpClient implements AsyncDisposable {
  readonly where: string;
  readonly #transport: SftpTransport;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #budget: SftpBudget;
  readonly #pending = new Map<number, Pending>();
  readonly #version = Promise.withResolvers<Uint8Array>();
  #extensions = new Map<string, string>();
  #capacity = serverCapacity(undefined);
  #nextId = 0;
  #ended: { readonly reason: unknown } | undefined;
  #disposed: Promise<void> | undefined;
  readonly #reading: Promise<void>;

  private constructor(transport: SftpTransport, options: SftpClientOptions) {
    this.where = transport.where;
    this.#transport = transport;
    this.#writer = transport.writable.getWriter();
    this.#reader = transport.readable.getReader();
    this.#budget = new SftpBudget(options.maxRequests ?? 1024, options.maxBytesInFlight ?? 2 * 1024 * 1024);
    // Both are told through `#end`, which rejects whatever waits for them.
    this.#writer.closed.catch((cause) => this.#lost(cause));
    this.#version.promise.catch(() => {});
    this.#reading = this.#read();
  }

  /**
   * Starts SFTP on a transport, which it then owns: disposing the client disposes it, a failed start too.
   *
   * @throws {CopyError} `unsupported` for a server older than version 3, `interrupted` where it closes
   * @throws {ProtocolError} where what arrives is not SFTP
   */
  static async open(transport: SftpTransport, options: SftpClientOptions = {}): Promise<SftpClient> {
    const client = new SftpClient(transport, options);
    try {
      await client.#start(options.signal);
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const onAbort = () => this.#end(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      this.#write(encodeInit());
      const { version, extensions } = decodeVersion(await this.#version.promise);
      if (version < SFTP_VERSION) {
        throw new CopyError("unsupported", {
          what: "Cannot start SFTP",
          where: this.where,
          why: `the server speaks version ${version}; version ${SFTP_VERSION} is needed`,
        });
      }
      this.#extensions = extensions;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    // Not waited for: its answer comes before that of any later request, so no round trip is spent on it.
    if (this.supports("LIMITS")) void this.#learnLimits();
  }

  async #learnLimits(): Promise<void> {
    try {
      const { reply } = await this.send((id) => encodeExtended(id, EXTENSION.LIMITS));
      const answer = await reply;
      if (answer.type === "extended") this.#capacity = serverCapacity(decodeLimits(answer.data));
    } catch (error) {
      // A refusal leaves the defaults; a lost transport is everybody's news.
      if (error instanceof ProtocolError) this.#end(error);
    }
  }

  supports(extension: keyof typeof EXTENSION): boolean {
    return this.#extensions.has(EXTENSION[extension]);
  }

  /** Bytes for one READ. */
  get readBytes(): number {
    return this.#capacity.readBytes;
  }

  /** Bytes for one WRITE. */
  get writeBytes(): number {
    return this.#capacity.writeBytes;
  }

  /** Files to keep open at once. */
  get openFiles(): number {
    return this.#capacity.openFiles;
  }

  /**
   * The answers to READs came as fast as on an idle link: more of them may be under way, up to 32 MiB. For writing it
   * would be of no use, as the server's window is no larger than what is allowed at first.
   */
  widen(): void {
    this.#budget.widen(Math.min(MAX_WIDENED_BYTES, this.#budget.maxBytes * 4));
  }

  /** Waits for room for one request that moves `bytes` of file data. */
  async reserve(bytes: number, signal?: AbortSignal): Promise<Reservation> {
    await this.#budget.acquire(bytes, signal);
    return this.#reservation(bytes);
  }

  /**
   * Room if there is some at once. Whoever holds room must not wait for more: all of it could be held by those who
   * wait.
   */
  tryReserve(bytes: number): Reservation | undefined {
    return this.#budget.tryAcquire(bytes) ? this.#reservation(bytes) : undefined;
  }

  #reservation(bytes: number): Reservation {
    let held = true;
    return {
      release: () => {
        if (held) this.#budget.release(bytes);
        held = false;
      },
    };
  }

  /** Writes one request when there is room for it. `encode` gets its id. */
  async send(encode: (id: number) => Uint8Array, options: SendOptions = {}): Promise<Sent> {
    const { bytes = 0, signal, urgent = false, hold = false } = options;
    const reservation = options.reservation ?? (urgent ? undefined : await this.reserve(bytes, signal));
    const release = () => reservation?.release();
    if (signal?.aborted) {
      release();
      throw signal.reason;
    }
    if (this.#ended) {
      release();
      throw this.#ended.reason;
    }
    const id = this.#newId();
    const { promise, resolve, reject } = Promise.withResolvers<SftpReply>();
    const onAbort = () => {
      pending.abandoned = true;
      reject(signal!.reason);
    };
    const settled = () => {
      signal?.removeEventListener("abort", onAbort);
      if (!hold || pending.abandoned) release();
    };
    const pending: Pending = {
      abandoned: false,
      resolve: (reply) => (settled(), resolve(reply)),
      reject: (reason) => (settled(), reject(reason)),
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#pending.set(id, pending);
    // Callers write several requests before they await the first reply; what fails meanwhile is theirs to see then.
    promise.catch(() => {});
    this.#write(encode(id));
    return { reply: promise, release };
  }

  /** The reply, with a status other than OK thrown as {@linkcode SftpStatusError}. `what` and `path` are for its message. */
  async ask<Type extends SftpReply["type"]>(
    sent: Promise<Sent> | Sent,
    type: Type,
    what: string,
    path: string,
  ): Promise<Extract<SftpReply, { type: Type }>> {
    const reply = await (await sent).reply;
    if (reply.type === "status" && (reply.status !== FX.OK || type !== "status")) {
      if (reply.status === FX.OK) throw this.violation(`OK where ${type} was due`);
      throw new SftpStatusError(reply.status, reply.message, what, `${this.where}:${path}`);
    }
    if (reply.type !== type) throw this.violation(`${reply.type} where ${type} was due`);
    return reply as Extract<SftpReply, { type: Type }>;
  }

  /** Ends the session because the server broke the protocol; returns what to throw. */
  violation(why: string): ProtocolError {
    const error = new ProtocolError({
      what: "SFTP failed",
      where: this.where,
      why: `the server sent ${why}`,
    });
    this.#end(error);
    return error;
  }

  #newId(): number {
    do this.#nextId = (this.#nextId + 1) >>> 0; while (this.#pending.has(this.#nextId));
    return this.#nextId;
  }

  /** The stream keeps the order; what it has not passed on is bounded by the budget. */
  #write(packet: Uint8Array): void {
    this.#writer.write(packet).catch((cause) => this.#lost(cause));
  }

  async #read(): Promise<void> {
    const frames = new SftpFrames();
    let started = false;
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        for (const packet of frames.push(value)) {
          if (started) this.#deliver(decodeReply(packet));
          // A copy: whoever waits reads it in a later turn, when the chunk may hold something else.
          else this.#version.resolve(packet.slice());
          started = true;
        }
      }
      this.#lost(undefined);
    } catch (error) {
      if (error instanceof ProtocolError) this.#end(error);
      else this.#lost(error);
    }
  }

  #deliver(reply: SftpReply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) throw this.violation(`a reply to request ${reply.id}, which was never made`);
    this.#pending.delete(reply.id);
    if (pending.abandoned && reply.type === "handle") {
      const { handle } = reply;
      void this.send((id) => encodeHandleRequest(FXP.CLOSE, id, handle), { urgent: true }).catch(() => {});
    }
    pending.resolve(reply);
  }

  #lost(cause: unknown): void {
    this.#end(
      new CopyError("interrupted", {
        what: "SFTP was interrupted",
        where: this.where,
        why: cause instanceof CarpoolError
          ? cause.message
          : cause instanceof Error && cause.message
          ? `the connection broke: ${cause.message}`
          : "the server closed the session",
        cause,
      }),
    );
  }

  #end(reason: unknown, abort = true): void {
    if (this.#ended) return;
    this.#ended = { reason };
    this.#version.reject(reason);
    this.#budget.end(reason);
    for (const pending of this.#pending.values()) pending.reject(reason);
    this.#pending.clear();
    // Callers get the reason; how these end adds nothing to it.
    if (abort) this.#writer.abort(reason).catch(() => {});
    this.#reader.cancel(reason).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#disposed ??= this.#dispose());
  }

  async #dispose(): Promise<void> {
    // End of input tells the server to leave. It is not waited for: a wedged peer would hold us here.
    if (!this.#ended) this.#writer.close().catch(() => {});
    this.#end(new CopyError("interrupted", { what: "SFTP was closed here", where: this.where }), false);
    await this.#transport[Symbol.asyncDispose]();
    await this.#reading;
  }
}
