import { concat } from "../base/bytes.ts";
import type { Link } from "../channel/link.ts";
import { encodeMuxHello } from "../wire/mux.ts";
import { BOARD, ControlClient, type ControlOptions } from "./control_link.ts";
import { FramedLink } from "./framed_link.ts";
import type { ByteConn } from "./slab_reader.ts";

/**
 * Boards a master of our own without waiting for its word: hello, request and what is sent in the same turn leave in one
 * write, and the answers come in one, which saves a turn of both processes. Throws as `openControlLink` does where nobody
 * listens; where the master is wedged, refuses or is none, the link fails, with that `MasterError`.
 */
export async function openEagerLink(
  path: string,
  where: string,
  options: ControlOptions = {},
): Promise<Link> {
  return new FramedLink(new EagerConn(await ControlClient.dial(path, options)), where);
}

/** A control socket in front of whose first write stands the hello, and from whose first read it is taken. */
class EagerConn implements ByteConn {
  readonly #client: ControlClient;
  readonly #conn: ByteConn;
  #early: Uint8Array = concat([encodeMuxHello(), BOARD]);
  /** What came with the answers; undefined before they have come. */
  #rest: Uint8Array | undefined;

  constructor(client: ControlClient) {
    this.#client = client;
    this.#conn = client.conn;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#rest === undefined) {
      await this.#client.greeted();
      await this.#client.boarded();
      this.#rest = this.#client.handOver();
    }
    if (this.#rest.length === 0) return await this.#conn.read(buffer);
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#early.length === 0) return await this.#conn.write(bytes);
    const all = concat([this.#early, bytes]);
    this.#early = new Uint8Array();
    await this.#client.write(all);
    return bytes.length;
  }

  close(): void {
    this.#conn.close();
  }
}
