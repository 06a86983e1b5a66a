/** Both sides of a relay, played message by message over links in memory. */
import { assertEquals } from "@std/assert";
import { Connection } from "../../lib/channel/connection.ts";
import { type MemoryLink, memoryLinkPair } from "../../lib/link/memory_link.ts";
import { Relay, type RelayOptions } from "../../lib/master/relay.ts";
import * as m from "../../lib/wire/messages.ts";

/** Lets everything that is under way arrive. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
}

/** One end of a link that says what a test says: the server, or a passenger. */
export class ScriptedEnd {
  readonly link: MemoryLink;
  readonly arrived: Uint8Array[] = [];
  #waiting: (() => void) | undefined;

  constructor(link: MemoryLink, options: { reads?: boolean } = {}) {
    this.link = link;
    if (options.reads !== false) this.read();
  }

  /** Starts to take what comes. */
  read(): void {
    this.link.receive((payload) => {
      this.arrived.push(payload);
      this.#waiting?.();
    });
  }

  send(...payloads: Uint8Array[]): void {
    for (const payload of payloads) this.link.send(payload);
  }

  /** The next message; it must be of this type. */
  async next(type: number): Promise<Uint8Array> {
    let ended = false;
    while (this.arrived.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
        this.link.closed.then(() => {
          ended = true;
          resolve();
        });
      });
      if (ended && this.arrived.length === 0) {
        assertEquals((await this.link.closed).why, "", `link ended before message ${type} came`);
      }
    }
    const payload = this.arrived.shift()!;
    assertEquals(payload[0], type, `message ${type} expected, ${payload[0]} came`);
    return payload;
  }

  /** The types of what has come and nobody has taken. */
  get types(): number[] {
    return this.arrived.map((payload) => payload[0]);
  }

  // As a server

  /** Takes an open, which it returns, and confirms it with this number. */
  async confirm(
    sender: number,
    options: { window?: number; maxPacket?: number } = {},
  ): Promise<m.ChannelOpen> {
    const open = m.decodeChannelOpen(await this.next(m.MSG.CHANNEL_OPEN));
    const { window = 1 << 20, maxPacket = 32768 } = options;
    this.send(m.encodeChannelOpenConfirmation({ recipient: open.sender, sender, window, maxPacket }));
    return open;
  }

  async refuse(reason: number = m.OPEN_FAILURE.CONNECT_FAILED): Promise<m.ChannelOpen> {
    const open = m.decodeChannelOpen(await this.next(m.MSG.CHANNEL_OPEN));
    this.send(m.encodeChannelOpenFailure({ recipient: open.sender, reason, description: "open failed" }));
    return open;
  }

  // As a passenger

  open(
    sender: number,
    options: { type?: string; window?: number; maxPacket?: number; data?: Uint8Array } = {},
  ): void {
    const { type = "session", window = 1 << 20, maxPacket = 32768, data } = options;
    this.send(m.encodeChannelOpen({ type, sender, window, maxPacket, data }));
  }

  /** Waits for the answer to an open; returns the server's number. */
  async opened(): Promise<number> {
    return m.decodeChannelOpenConfirmation(await this.next(m.MSG.CHANNEL_OPEN_CONFIRMATION)).sender;
  }
}

export interface RelayEnds {
  readonly relay: Relay;
  readonly server: ScriptedEnd;
  /** Takes a scripted passenger on; one that does not read holds up what is sent to it. */
  board(options?: { reads?: boolean }): ScriptedEnd;
  /** Takes our own kind of passenger on. */
  connect(): Connection;
}

export function relayEnds(options: Partial<RelayOptions> = {}): RelayEnds {
  const [ours, theirs] = memoryLinkPair("tester@peer:22");
  const server = new ScriptedEnd(theirs);
  const relay = new Relay(ours, { maxSessions: 10, ...options });
  return {
    relay,
    server,
    board(ends) {
      const [near, far] = memoryLinkPair("passenger");
      relay.add(far);
      return new ScriptedEnd(near, ends);
    },
    connect() {
      const [near, far] = memoryLinkPair("tester@peer:22");
      relay.add(far);
      return new Connection(near);
    },
  };
}

/** Has a passenger open a channel that the server confirms with `remoteId`; returns our number for it. */
export async function openThrough(
  { server }: RelayEnds,
  passenger: ScriptedEnd,
  numbers: { sender: number; remoteId: number; window?: number; maxPacket?: number; serverWindow?: number },
): Promise<number> {
  const { sender, remoteId, window, maxPacket, serverWindow } = numbers;
  passenger.open(sender, { window, maxPacket });
  const open = await server.confirm(remoteId, { window: serverWindow });
  assertEquals(await passenger.opened(), remoteId);
  return open.sender;
}

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (data: Uint8Array) => new TextDecoder().decode(data);
