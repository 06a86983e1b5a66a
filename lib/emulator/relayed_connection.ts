import net from "node:net";
import { setImmediate } from "node:timers";
import { type Clock, waitUntil } from "./clock.ts";
import { DelayLine } from "./delay_line.ts";
import type { Direction, FlightCounter, FlightStamp } from "./flights.ts";
import type { SharedWire } from "./shared_wire.ts";

/** What the connections of one link share. */
export interface LinkParts {
  readonly clock: Clock;
  readonly to: { readonly hostname: string; readonly port: number };
  readonly oneWayMs: number;
  readonly windowBytes: number;
  readonly wires: Readonly<Record<Direction, SharedWire>>;
  readonly flights: FlightCounter;
  readonly delayMs: (bytes: number) => number;
  /** Resolves at once, or when a pulled cable is plugged in again. */
  readonly plugged: () => Promise<void>;
}

type Parcel =
  | { readonly kind: "data"; readonly bytes: Uint8Array; readonly stamp: FlightStamp }
  | { readonly kind: "end" }
  | { readonly kind: "reset" };

/** A TCP segment without data, for what ends a stream. */
const BARE_SEGMENT_BYTES = 40;

/**
 * One TCP connection through the link: accepted from the client, and made anew to the server when the client's SYN
 * would have come there. The ends of both streams and resets travel through the delay lines like data.
 *
 * The sockets are node:net's because only they can send a reset (Deno.Conn always closes politely).
 */
export class RelayedConnection {
  readonly #id: number;
  readonly #parts: LinkParts;
  readonly #client: net.Socket;
  readonly #server = new net.Socket({ allowHalfOpen: true });
  readonly #connected: Promise<void>;
  readonly #stop = new AbortController();
  #lines: Readonly<Record<Direction, DelayLine<Parcel>>> | undefined;

  /** Settles when both sockets are closed; never rejects. */
  readonly done: Promise<void>;

  constructor(id: number, client: net.Socket, parts: LinkParts) {
    this.#id = id;
    this.#client = client;
    this.#parts = parts;
    client.pause();
    client.setNoDelay(true);
    this.#server.setNoDelay(true);
    this.#connected = new Promise((resolve) => this.#server.once("connect", () => resolve()));
    const closed = [client, this.#server].map((socket) =>
      new Promise<void>((resolve) => socket.once("close", () => resolve()))
    );
    this.done = Promise.all(closed).then(() => {
      this.close();
      parts.flights.closed(id);
    });
    // Heard from the start, or a reset before the handshake is through would be an uncaught error.
    this.#watch("up", client);
    this.#watch("down", this.#server);
    this.#open();
  }

  hold(): void {
    this.#lines?.up.hold();
    this.#lines?.down.hold();
  }

  release(atMs: number): void {
    this.#lines?.up.release(atMs);
    this.#lines?.down.release(atMs);
  }

  /** Sends a TCP reset to both sides, now. */
  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.close();
  }

  /** Ends it now, on both sides, whatever is under way; idempotent. */
  close(): void {
    this.#stop.abort();
    this.#lines?.up.stop();
    this.#lines?.down.stop();
    this.#client.destroy();
    this.#server.destroy();
  }

  async #open(): Promise<void> {
    const { clock, plugged, oneWayMs, flights, to } = this.#parts;
    await plugged();
    if (this.#stop.signal.aborted) return;
    flights.opened(this.#id);
    const synAtMs = clock.now();
    // The kernel has already told the client that it is connected. A round trip passes until it really would be: what
    // it sends now leaves only then, and what the server says reaches it no sooner than the second round trip.
    this.#lines = {
      up: this.#line("up", synAtMs + 3 * oneWayMs),
      down: this.#line("down", synAtMs + 4 * oneWayMs),
    };
    this.#client.resume();
    if (await waitUntil(clock, synAtMs + oneWayMs, this.#stop.signal)) {
      this.#server.connect({ host: to.hostname, port: to.port });
    }
  }

  #line(direction: Direction, notBeforeMs: number): DelayLine<Parcel> {
    const { clock, delayMs, windowBytes, wires } = this.#parts;
    const deliver = (parcel: Parcel) => this.#deliver(direction, parcel);
    return new DelayLine({ clock, wire: wires[direction], delayMs, windowBytes, deliver, notBeforeMs });
  }

  /** Puts what `socket` sends on the line that leads away from it. */
  #watch(direction: Direction, socket: net.Socket): void {
    const { flights, wires } = this.#parts;
    socket.on("data", (bytes: Uint8Array) => {
      socket.pause();
      const stamp = flights.sent(this.#id, direction);
      const grain = wires[direction].grainBytes;
      for (let start = 0; start < bytes.length; start += grain) {
        const piece = bytes.subarray(start, start + grain);
        const last = start + grain >= bytes.length;
        const parcel: Parcel = { kind: "data", bytes: piece, stamp };
        this.#lines?.[direction].push(parcel, piece.length, () => last && socket.resume());
      }
    });
    const ending = (kind: "end" | "reset") => {
      // Before the handshake there is no line: whoever gives up then leaves nothing to be told.
      if (this.#lines) this.#lines[direction].push({ kind }, BARE_SEGMENT_BYTES, () => {});
      else this.close();
    };
    socket.once("end", () => ending("end"));
    // Also a refused connection to the server: the reset comes to the client as late as the refusal would.
    socket.once("error", () => ending("reset"));
    socket.on("error", () => {});
  }

  /** Waits until the kernel has taken it: a receiver that does not read holds up its line, and so its sender. */
  async #deliver(direction: Direction, parcel: Parcel): Promise<void> {
    const socket = direction === "up" ? this.#server : this.#client;
    if (direction === "up") await this.#connected;
    if (parcel.kind === "reset") return this.reset();
    if (parcel.kind === "end") return void socket.end();
    // One turn of the loop first: what the receiver sent of its own accord is then read before this is counted as
    // its possible cause. At a round-trip time of 0 that is all that tells the two apart.
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (!socket.writable) return;
    this.#parts.flights.delivered(this.#id, direction, parcel.stamp, parcel.bytes.length);
    await new Promise<void>((resolve) => void socket.write(parcel.bytes, () => resolve()));
  }
}
