import { CarpoolError, ProtocolError } from "../base/errors.ts";
import type { Link } from "../channel/link.ts";
import { FramedLink } from "../link/framed_link.ts";
import {
  decodeMuxForward,
  decodeMuxHello,
  encodeMuxAlive,
  encodeMuxExtInfo,
  encodeMuxHello,
  encodeMuxPlain,
  encodeMuxRefusal,
  encodeMuxRemotePort,
  MUX,
  MUX_MAX_PACKET_BYTES,
  MUX_VERSION,
  type MuxForward,
  MuxFrames,
  type MuxPacket,
} from "../wire/mux.ts";

/** What a control socket is the door to. */
export interface ControlledMaster {
  readonly where: string;
  readonly pid: number;
  /** The shortest round trip to the server so far, in milliseconds. */
  readonly rttMs?: number | undefined;
  /** Takes a passenger on. */
  board(link: Link): void;
  /** Opens a forward; resolves with the port that the server allocated, where port 0 was asked of it. */
  openForward(forward: MuxForward): Promise<number | undefined>;
  closeForward(forward: MuxForward): Promise<void>;
  /** Takes no new passengers; those on board finish. */
  stop(): Promise<void>;
  /** Ends at once. */
  exit(): void;
  /** The text of the `info` extension; undefined for a kind it does not know. */
  info(kind: string): string | undefined;
}

/** Descriptors that a passenger passes by SCM_RIGHTS, one byte each: they must be drained before the answer. */
const SESSION_DESCRIPTORS = 3;
const STDIO_DESCRIPTORS = 2;

/** A client that announces a large packet and sends none of it costs no more than this. */
const MAX_READ_BYTES = 16 * 1024;

/** A packet holds no more, even where each character takes three bytes. */
const MAX_INFO_LENGTH = Math.floor((MUX_MAX_PACKET_BYTES - 64) / 3);

/** Serves one client of a control socket, in OpenSSH's mux protocol (PROTOCOL.mux), until it leaves or boards. */
export async function serveControlClient(conn: Deno.Conn, master: ControlledMaster): Promise<void> {
  const client = new ControlSession(conn, master);
  try {
    await client.serve();
  } catch (error) {
    // A client that breaks the protocol or vanishes concerns nobody else.
    if (!(error instanceof ProtocolError || hasVanished(error))) throw error;
  } finally {
    client.close();
  }
}

const VANISHED = [
  Deno.errors.BrokenPipe,
  Deno.errors.ConnectionReset,
  Deno.errors.ConnectionAborted,
  Deno.errors.NotConnected,
  Deno.errors.BadResource,
  Deno.errors.Interrupted,
];

function hasVanished(error: unknown): boolean {
  return VANISHED.some((kind) => error instanceof kind);
}

class ControlSession {
  readonly #conn: Deno.Conn;
  readonly #master: ControlledMaster;
  readonly #frames = new MuxFrames();
  #greeted = false;
  #boarded = false;

  constructor(conn: Deno.Conn, master: ControlledMaster) {
    this.#conn = conn;
    this.#master = master;
  }

  async serve(): Promise<void> {
    await this.#write(encodeMuxHello(["info"], this.#master.rttMs));
    for (;;) {
      const packet = await this.#next();
      if (packet === undefined) return;
      if (!await this.#handle(packet)) return;
    }
  }

  close(): void {
    if (this.#boarded) return;
    try {
      this.#conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // closed with the process's other sockets
    }
  }

  /** Whether to go on. */
  async #handle({ type, body }: MuxPacket): Promise<boolean> {
    if (type === MUX.HELLO) {
      if (this.#greeted) {
        throw new ProtocolError({ what: "Cannot serve a control client", why: "hello twice" });
      }
      this.#greeted = true;
      return decodeMuxHello(body).version === MUX_VERSION;
    }
    if (!this.#greeted) {
      throw new ProtocolError({ what: "Cannot serve a control client", why: "no hello first" });
    }
    const id = body.uint32();
    switch (type) {
      case MUX.ALIVE_CHECK:
        await this.#write(encodeMuxAlive(id, this.#master.pid));
        return true;
      case MUX.PROXY:
        await this.#write(encodeMuxPlain(MUX.PROXY_OK, id));
        this.#board();
        return false;
      case MUX.TERMINATE:
        try {
          await this.#write(encodeMuxPlain(MUX.OK, id));
        } finally {
          this.#master.exit(); // whether or not the client still waits to hear of it
        }
        return false;
      case MUX.STOP_LISTENING:
        await this.#answer(id, async () => {
          await this.#master.stop();
          return encodeMuxPlain(MUX.OK, id);
        });
        return true;
      case MUX.OPEN_FORWARD:
      case MUX.CLOSE_FORWARD:
        await this.#forward(type, id, decodeMuxForward(body));
        return true;
      case MUX.EXT_INFO: {
        const text = this.#master.info(body.utf8());
        const fitting = text?.slice(0, MAX_INFO_LENGTH) ?? "info request type not supported";
        await this.#write(encodeMuxExtInfo(id, text !== undefined, fitting));
        return true;
      }
      case MUX.NEW_SESSION:
        await this.#refusePassenger(id, SESSION_DESCRIPTORS, "sessions");
        return true;
      case MUX.NEW_STDIO_FORWARD:
        await this.#refusePassenger(id, STDIO_DESCRIPTORS, "stdio forwards (-W)");
        return true;
      default:
        await this.#write(encodeMuxRefusal(MUX.FAILURE, id, "unsupported request"));
        return true;
    }
  }

  /** From here on the socket is the passenger's, with whatever it has sent already. */
  #board(): void {
    this.#boarded = true;
    const { where } = this.#master;
    const options = { initial: this.#frames.rest(), lostWhy: "the passenger has left" };
    this.#master.board(new FramedLink(this.#conn, where, options));
  }

  async #forward(type: number, id: number, forward: MuxForward): Promise<void> {
    await this.#answer(id, async () => {
      if (type === MUX.CLOSE_FORWARD) await this.#master.closeForward(forward);
      else {
        const port = await this.#master.openForward(forward);
        if (port !== undefined) return encodeMuxRemotePort(id, port);
      }
      return encodeMuxPlain(MUX.OK, id);
    });
  }

  /** Answers with what the work gives, or says why it could not be done. */
  async #answer(id: number, work: () => Promise<Uint8Array>): Promise<void> {
    let answer: Uint8Array;
    try {
      answer = await work();
    } catch (error) {
      if (!(error instanceof CarpoolError)) throw error;
      answer = encodeMuxRefusal(MUX.FAILURE, id, error.why ?? error.message);
    }
    await this.#write(answer);
  }

  /**
   * A stock client sends its descriptors right behind the request, whatever we will answer; left unread they would be
   * taken for the next packet. (Read the ordinary way, the descriptors themselves are dropped by the kernel.)
   */
  async #refusePassenger(id: number, descriptors: number, what: string): Promise<void> {
    for (let drained = 0; drained < descriptors; drained++) {
      if (!await this.#fill(1)) return;
      this.#frames.skip(1);
    }
    const reason = `Carpool does not take ${what} this way yet: use ssh -O proxy`;
    await this.#write(encodeMuxRefusal(MUX.FAILURE, id, reason));
  }

  async #next(): Promise<MuxPacket | undefined> {
    for (;;) {
      const packet = this.#frames.take();
      if (packet) return packet;
      if (!await this.#fill(this.#frames.missing)) return undefined;
    }
  }

  /**
   * Never asks for more than must come. A read stops in front of a byte that carries a descriptor, and the runtime
   * takes a read that came short for the last of what is there: it would wait for news that has arrived already.
   */
  async #fill(bytes: number): Promise<boolean> {
    const buffer = new Uint8Array(Math.min(bytes, MAX_READ_BYTES));
    const count = await this.#conn.read(buffer);
    if (count === null) return false;
    this.#frames.push(buffer.subarray(0, count));
    return true;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await this.#conn.write(bytes.subarray(done));
  }
}
