import { assertEquals } from "@std/assert";
import { Connection } from "../../lib/channel/connection.ts";
import { memoryLinkPair } from "../../lib/link/memory_link.ts";
import * as m from "../../lib/wire/messages.ts";

/** The other end of a memory link, played message by message: an SSH server that does exactly what a test says. */
export class Peer {
  readonly connection: Connection;
  readonly #link;
  readonly #arrived: Uint8Array[] = [];
  #waiting: ((payload: Uint8Array) => void) | undefined;

  constructor() {
    const [ours, theirs] = memoryLinkPair("tester@peer:22");
    this.#link = theirs;
    theirs.receive((payload) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(payload);
      else this.#arrived.push(payload);
    });
    this.connection = new Connection(ours);
  }

  /** How many messages came that no test has taken. */
  get pending(): number {
    return this.#arrived.length;
  }

  /** The next message from the client, of whatever type. */
  async any(): Promise<Uint8Array> {
    return this.#arrived.shift() ?? await new Promise<Uint8Array>((resolve) => this.#waiting = resolve);
  }

  /** The next message from the client; it must be of this type. */
  async next(type: number): Promise<Uint8Array> {
    const payload = await this.any();
    assertEquals(payload[0], type, `message ${type} expected, ${payload[0]} came`);
    return payload;
  }

  send(payload: Uint8Array): void {
    this.#link.send(payload);
  }

  async hangUp(): Promise<void> {
    await this.#link.close();
  }

  /** Lets everything that is under way arrive. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }

  /** Takes an open and confirms it; returns the client's number for the channel. */
  async confirm(
    options: { sender?: number; window?: number; maxPacket?: number } = {},
  ): Promise<m.ChannelOpen> {
    const open = m.decodeChannelOpen(await this.next(m.MSG.CHANNEL_OPEN));
    const { sender = 7, window = 1 << 20, maxPacket = 32768 } = options;
    this.send(m.encodeChannelOpenConfirmation({ recipient: open.sender, sender, window, maxPacket }));
    return open;
  }
}
