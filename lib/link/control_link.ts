import { MasterError, ProtocolError } from "../base/errors.ts";
import { concat } from "../base/bytes.ts";
import type { Link } from "../channel/link.ts";
import {
  decodeMuxHello,
  encodeMuxHello,
  encodeMuxPlain,
  MUX,
  MUX_VERSION,
  MuxFrames,
  type MuxPacket,
} from "../wire/mux.ts";
import { FramedLink } from "./framed_link.ts";
import { type ByteConn, SlabReader } from "./slab_reader.ts";

/**
 * OpenSSH's clients have no deadline, and a wedged master hangs them for ever. A live one answers within milliseconds,
 * however slow its link: nothing here waits for the network.
 */
export const CONTROL_DEADLINE_MS = 4000;

/** How soon a socket is dialled again whose backlog is full. */
const REDIAL_MS = 10;

export interface ControlOptions {
  /** For connect, hello and each answer, in milliseconds; default 4 s. */
  readonly deadlineMs?: number;
}

/**
 * A connection to a control socket (PROTOCOL.mux), greeted: asks one thing at a time, or boards in proxy mode.
 * Everything has a deadline. Throws `MasterError`: `gone` when nobody listens at the path, `wedged` when somebody does
 * and does not answer, `refused` when the answer is no or makes no sense.
 */
export class ControlClient {
  readonly path: string;
  readonly conn: ByteConn;
  readonly #deadlineMs: number;
  readonly #reader: SlabReader;
  readonly #frames = new MuxFrames();
  #nextRequestId = 0;
  #closed = false;
  #rttMs: number | undefined;

  private constructor(path: string, conn: Deno.Conn, deadlineMs: number) {
    this.path = path;
    this.conn = conn;
    this.#deadlineMs = deadlineMs;
    this.#reader = new SlabReader(conn);
  }

  /** Connects and exchanges hellos. `first` is sent along with ours, to save a turn: its answer is read by the caller. */
  static async connect(
    path: string,
    options: ControlOptions = {},
    first?: Uint8Array,
  ): Promise<ControlClient> {
    const client = await ControlClient.dial(path, options);
    try {
      const hello = encodeMuxHello();
      await client.write(first ? concat([hello, first]) : hello);
      await client.greeted();
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Connects and says nothing yet: the hello is the caller's to {@linkcode write}, and to await. */
  static async dial(path: string, options: ControlOptions = {}): Promise<ControlClient> {
    const deadlineMs = options.deadlineMs ?? CONTROL_DEADLINE_MS;
    return new ControlClient(path, await dial(path, deadlineMs), deadlineMs);
  }

  /** Reads the master's hello. */
  async greeted(): Promise<void> {
    const { version, rttMs } = await this.#understand(await this.#read(), ({ type, body }) => {
      if (type !== MUX.HELLO) throw refused(this.path, `it answered with message 0x${type.toString(16)}`);
      return decodeMuxHello(body);
    });
    if (version !== MUX_VERSION) {
      throw refused(this.path, `it speaks version ${version} of the mux protocol, we ${MUX_VERSION}`);
    }
    this.#rttMs = rttMs;
  }

  /** The number for the next request; answers name it. */
  nextRequestId(): number {
    return this.#nextRequestId++;
  }

  /** Sends a request and reads its answer, positioned after the request id. Throws `MasterError` when it is a refusal. */
  async ask(message: Uint8Array, requestId: number): Promise<MuxPacket> {
    await this.write(message);
    return await this.answerTo(requestId);
  }

  /** Reads the answer to a request that has been sent. */
  async answerTo(requestId: number): Promise<MuxPacket> {
    return this.#understand(await this.#read(), (packet) => {
      const id = packet.body.uint32();
      if (id !== requestId) throw refused(this.path, `it answered request ${id} instead of ${requestId}`);
      if (packet.type === MUX.FAILURE || packet.type === MUX.PERMISSION_DENIED) {
        throw refused(this.path, packet.body.text());
      }
      return packet;
    });
  }

  /** Asks for a sign of life; resolves with the master's process id. */
  async alive(): Promise<number> {
    const id = this.nextRequestId();
    const answer = await this.ask(encodeMuxPlain(MUX.ALIVE_CHECK, id), id);
    return this.#understand(answer, ({ type, body }) => {
      if (type !== MUX.ALIVE) throw refused(this.path, `it answered with message 0x${type.toString(16)}`);
      return body.uint32();
    });
  }

  /** Reads the answer to request 0, which was to board. */
  async boarded(): Promise<void> {
    const { type } = await this.answerTo(0);
    if (type !== MUX.PROXY_OK) {
      throw refused(this.path, "it does not know proxy mode (OpenSSH before 7.4)");
    }
  }

  /** Hands the socket over to a link, after {@linkcode boarded}. */
  board(where: string): Link {
    return new FramedLink(this.conn, where, { initial: this.handOver(), rttMs: this.#rttMs });
  }

  /** From now on the socket is the caller's. What was read from it and not understood yet. */
  handOver(): Uint8Array {
    this.#closed = true;
    return this.#frames.rest();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Writes all of it, within the deadline. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#within(async () => {
      for (let done = 0; done < bytes.length;) done += await this.conn.write(bytes.subarray(done));
    });
  }

  /** The deadline is for the whole packet: bytes that trickle in do not prolong it. */
  #read(): Promise<MuxPacket> {
    return this.#within(async () => {
      for (;;) {
        const packet = this.#frames.take();
        if (packet) return packet;
        const bytes = await this.#reader.read();
        if (bytes === null) throw gone(this.path, "it closed the connection");
        this.#frames.push(bytes);
      }
    });
  }

  async #within<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(work(), this.#deadlineMs, this.path);
    } catch (error) {
      throw this.#asMasterError(error);
    }
  }

  #understand<T>(packet: MuxPacket, read: (packet: MuxPacket) => T): T {
    try {
      return read(packet);
    } catch (error) {
      throw this.#asMasterError(error);
    }
  }

  #asMasterError(error: unknown): MasterError {
    if (error instanceof MasterError) return error;
    if (error instanceof ProtocolError) {
      return refused(this.path, `it does not speak OpenSSH's mux protocol (${error.why})`);
    }
    return gone(this.path, "it closed the connection", error);
  }
}

/** Asks for proxy mode, as request 0. */
export const BOARD: Uint8Array = encodeMuxPlain(MUX.PROXY, 0);

/**
 * Boards a master through its control socket in proxy mode (PROTOCOL.mux §9): our own channels over somebody's
 * connection. Hello and request leave together; the answer costs one turn of a local socket.
 */
export async function openControlLink(
  path: string,
  where: string,
  options: ControlOptions = {},
): Promise<Link> {
  const client = await ControlClient.connect(path, options, BOARD);
  try {
    await client.boarded();
    return client.board(where);
  } catch (error) {
    client.close();
    throw error;
  }
}

/**
 * Connects. A full backlog is no sign of death: Linux says EAGAIN at once where it would have to wait, so we wait and
 * dial again until the deadline, and call the listener wedged then, never gone: what is gone gets replaced.
 */
async function dial(path: string, deadlineMs: number): Promise<Deno.Conn> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await withDeadline(
        Deno.connect({ transport: "unix", path }),
        deadlineMs,
        path,
        (late) => late.close(),
      );
    } catch (error) {
      if (error instanceof MasterError) throw error;
      if (!isBusy(error)) throw cannotDial(path, error);
      if (performance.now() - startedAt >= deadlineMs) throw wedged(path, deadlineMs);
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Deno.errors.WouldBlock ||
    (error instanceof Error && /os error (11|35)\b/.test(error.message)); // EAGAIN on Linux, macOS
}

function cannotDial(path: string, cause: unknown): MasterError {
  if (cause instanceof Deno.errors.NotFound) return gone(path, "there is no such socket", cause);
  if (cause instanceof Deno.errors.ConnectionRefused) {
    return gone(path, "nobody listens there any more", cause);
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return refused(path, "the socket belongs to somebody else", cause);
  }
  const parts = { what: WHAT, where: path, cause, outcome: "not-started" } as const;
  if (cause instanceof Deno.errors.NotCapable) {
    return new MasterError("no-keeper", {
      ...parts,
      why: "this program may not open control sockets",
      fix: `run it with --allow-read --allow-write --allow-net=unix:${path}`,
    });
  }
  if (cause instanceof TypeError) {
    return new MasterError("bad-path", {
      ...parts,
      why: "the path is too long for a socket",
      fix: "use a shorter ControlPath, such as one with %C",
    });
  }
  return refused(path, cause instanceof Error ? cause.message : String(cause), cause);
}

/**
 * Not by `setTimeout`, whose first use loads Deno's imitation of Node's timers: 5 ms, a quarter of what a whole command on
 * a warm master takes. The signal's own timer holds nobody up once nobody listens to it.
 */
async function withDeadline<T>(
  promise: Promise<T>,
  deadlineMs: number,
  path: string,
  discard?: (late: T) => void,
): Promise<T> {
  const deadline = AbortSignal.timeout(deadlineMs);
  let expired = false;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const expire = () => {
    expired = true;
    reject(wedged(path, deadlineMs));
  };
  deadline.addEventListener("abort", expire, { once: true });
  if (discard) promise.then((value) => expired && discard(value), () => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    deadline.removeEventListener("abort", expire);
  }
}

const WHAT = "Cannot ride the master";

function wedged(path: string, deadlineMs: number): MasterError {
  return new MasterError("wedged", {
    what: WHAT,
    where: path,
    why: `it did not answer within ${deadlineMs / 1000} s`,
    fix: "end it, or remove its control socket",
    outcome: "not-started",
  });
}

function gone(path: string, why: string, cause?: unknown): MasterError {
  return new MasterError("gone", { what: WHAT, where: path, why, cause, outcome: "not-started" });
}

function refused(path: string, why: string, cause?: unknown): MasterError {
  return new MasterError("refused", { what: WHAT, where: path, why, cause, outcome: "not-started" });
}
