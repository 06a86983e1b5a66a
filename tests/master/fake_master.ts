/** A master that only notes what its control socket's clients want, and the sockets to reach it by. */
import { join } from "@std/path";
import { assert } from "@std/assert";
import { ChannelError } from "../../lib/base/errors.ts";
import type { Link } from "../../lib/channel/link.ts";
import { type ControlledMaster, serveControlClient } from "../../lib/master/control_session.ts";
import { type MuxForward, MuxFrames, type MuxPacket } from "../../lib/wire/mux.ts";
import { closeQuietly, unixPair } from "../link/unix_pair.ts";

export class FakeMaster implements ControlledMaster {
  readonly where = "tester@fake:22";
  readonly pid = 4711;
  readonly boarded: Link[] = [];
  readonly forwards: { readonly kind: "open" | "close"; readonly forward: MuxForward }[] = [];
  stops = 0;
  exits = 0;
  /** What the next forward gives; an error refuses it. */
  forwardResult: number | undefined | Error = undefined;
  infoText: string | undefined = "text\r\n";
  #boarding: (() => void) | undefined;

  board(link: Link): void {
    this.boarded.push(link);
    this.#boarding?.();
  }

  /** The first passenger. */
  async passenger(): Promise<Link> {
    while (this.boarded.length === 0) await new Promise<void>((resolve) => this.#boarding = resolve);
    return this.boarded[0];
  }

  openForward(forward: MuxForward): Promise<number | undefined> {
    this.forwards.push({ kind: "open", forward });
    return this.forwardResult instanceof Error
      ? Promise.reject(this.forwardResult)
      : Promise.resolve(this.forwardResult);
  }

  closeForward(forward: MuxForward): Promise<void> {
    this.forwards.push({ kind: "close", forward });
    return this.forwardResult instanceof Error ? Promise.reject(this.forwardResult) : Promise.resolve();
  }

  stop(): Promise<void> {
    this.stops++;
    return Promise.resolve();
  }

  exit(): void {
    this.exits++;
  }

  info(kind: string): string | undefined {
    return kind === "connection" || kind === "channels"
      ? this.infoText && `${kind}: ${this.infoText}`
      : undefined;
  }
}

export const noSuchForward = new ChannelError("open-failed", {
  what: "Cannot open a forward",
  why: "the port is taken",
});

/** One client of a fake master, played byte by byte. */
export class RawClient implements AsyncDisposable {
  readonly master: FakeMaster;
  readonly conn: Deno.Conn;
  /** Settles when the master has done with this client, or handed it over. */
  readonly served: Promise<void>;
  readonly #frames = new MuxFrames();
  readonly #dispose: () => Promise<void>;

  private constructor(master: FakeMaster, pair: Awaited<ReturnType<typeof unixPair>>) {
    this.master = master;
    this.conn = pair.here;
    this.served = serveControlClient(pair.there, master);
    this.served.catch(() => {}); // looked at by whoever wants to
    this.#dispose = async () => await pair[Symbol.asyncDispose]();
  }

  static async connect(master = new FakeMaster()): Promise<RawClient> {
    return new RawClient(master, await unixPair());
  }

  async send(...messages: Uint8Array[]): Promise<void> {
    const all = new Uint8Array(messages.flatMap((message) => [...message]));
    for (let done = 0; done < all.length;) done += await this.conn.write(all.subarray(done));
  }

  /** The next packet, or undefined when the master has closed. */
  async next(): Promise<MuxPacket | undefined> {
    for (;;) {
      const packet = this.#frames.take();
      if (packet) return packet;
      const buffer = new Uint8Array(70_000);
      const count = await this.conn.read(buffer).catch((error) => {
        if (error instanceof Deno.errors.ConnectionReset) return null; // closed with something unread
        throw error;
      });
      if (count === null) return undefined;
      this.#frames.push(buffer.subarray(0, count));
    }
  }

  /** The next packet, of this type, positioned behind its request id, which must be this. */
  async answer(type: number, requestId: number): Promise<MuxPacket> {
    const packet = await this.next();
    assert(packet, "the master has closed");
    const id = packet.body.uint32();
    assert(packet.type === type && id === requestId, `0x${packet.type.toString(16)} for ${id}`);
    return packet;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeQuietly(this.conn);
    for (const link of this.master.boarded) await link.close();
    await this.served.catch(() => {});
    await this.#dispose();
  }
}

/** A fake master at a path, for programs. */
export interface ListeningMaster extends AsyncDisposable {
  readonly master: FakeMaster;
  readonly path: string;
}

export async function listeningMaster(): Promise<ListeningMaster> {
  const dir = await Deno.makeTempDir({ prefix: "cp-" });
  const path = join(dir, "m");
  const master = new FakeMaster();
  const listener = Deno.listen({ transport: "unix", path });
  const clients: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) clients.push(serveControlClient(conn, master));
  })();
  return {
    master,
    path,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      for (const link of master.boarded) await link.close();
      await Promise.all(clients);
      await Deno.remove(dir, { recursive: true });
    },
  };
}
