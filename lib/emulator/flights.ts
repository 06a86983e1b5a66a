/**
 * Counting round trips by cause and effect instead of by the clock.
 *
 * Every chunk carries a depth, as a Lamport clock would give it: a chunk from the client is one deeper than the
 * deepest chunk the client has been handed so far; a chunk from the server is as deep as the deepest one that the
 * server has been handed. The deepest chunk handed to the client is then the length of the longest chain of "ask,
 * wait, ask again": the number of round trips that had to follow one another, whatever each of them took.
 *
 * What that means:
 * - Only chains that lead to an answer count. A window adjust or a channel close that nobody answers adds nothing.
 * - A Lamport clock sees what *could* have been a cause. When one side says something of its own accord (a client that
 *   closes its input, grants window, opens a channel ahead of need) and the other, still busy with something
 *   earlier, speaks only after that came in, the count takes one for the cause of the other. So it is an upper bound,
 *   and right when the link's round trip is longer than the peers take to answer. Strict question and answer, also
 *   pipelined, is counted exactly at any round-trip time. Measured with OpenSSH 9.2 on an idle machine: a new `ssh` 9
 *   round trips at RTT 20 ms and 10 to 11 at 0, `ssh -S` 2 and 3 to 4. Count at 50 ms or more, and take the least of
 *   several runs where the machine is busy; bulk data, whose window adjusts have no end, is better counted in bytes.
 * - A connection begins with TCP's handshake, one round trip. A server that speaks first (SSH's version line) does so when
 *   it has seen the third packet of the handshake, in the second round trip.
 */

/** The direction of a chunk: `up` is from the client to the server. */
export type Direction = "up" | "down";

/** How a new connection relates to those before it: see {@linkcode FlightCounter}. */
export type ConnectionOrder = "sequence" | "independent";

/** What passed over a link. */
export interface LinkCounters {
  /** Connections that were opened. */
  readonly connections: number;
  /** The longest chain of round trips, handshakes of TCP included. */
  readonly roundTrips: number;
  /** Bytes handed to the server. */
  readonly bytesUp: number;
  /** Bytes handed to the client. */
  readonly bytesDown: number;
  /** Pieces handed to the server, as the relay happened to read them. */
  readonly chunksUp: number;
  /** Pieces handed to the client. */
  readonly chunksDown: number;
}

/** Depths of the last chunks that reached either end of one connection. */
interface Ends {
  client: number;
  server: number;
}

/**
 * The counters of a link since some moment. Chains begin anew there: what was sent before has depth 0, so an answer to
 * it that comes later is nobody's round trip.
 */
export class FlightMeter implements Disposable {
  readonly #order: ConnectionOrder;
  readonly #ends = new Map<number, Ends>();
  readonly #stop: (meter: FlightMeter) => void;
  #deepestAtClient = 0;
  #connections = 0;
  #roundTrips = 0;
  readonly #bytes = { up: 0, down: 0 };
  readonly #chunks = { up: 0, down: 0 };

  /** @internal */
  constructor(order: ConnectionOrder, stop: (meter: FlightMeter) => void) {
    this.#order = order;
    this.#stop = stop;
  }

  /** What passed since this meter was made. */
  counters(): LinkCounters {
    return {
      connections: this.#connections,
      roundTrips: this.#roundTrips,
      bytesUp: this.#bytes.up,
      bytesDown: this.#bytes.down,
      chunksUp: this.#chunks.up,
      chunksDown: this.#chunks.down,
    };
  }

  /** @internal */
  opened(connection: number): void {
    const before = this.#order === "sequence" ? this.#deepestAtClient : 0;
    // SYN and SYN-ACK are one round trip, and the ACK that lets the server speak is the way up of the next.
    this.#ends.set(connection, { client: before + 1, server: before + 2 });
    this.#connections++;
    this.#roundTrips = Math.max(this.#roundTrips, before + 1);
  }

  /** @internal */
  closed(connection: number): void {
    this.#ends.delete(connection);
  }

  /** The depth of a chunk that is sent now. @internal */
  sent(connection: number, direction: Direction): number {
    const ends = this.#endsOf(connection);
    return direction === "up" ? ends.client + 1 : ends.server;
  }

  /** A chunk is about to be handed over. @internal */
  delivered(connection: number, direction: Direction, depth: number, bytes: number): void {
    this.#bytes[direction] += bytes;
    this.#chunks[direction]++;
    const ends = this.#endsOf(connection);
    if (direction === "up") {
      ends.server = Math.max(ends.server, depth);
    } else {
      ends.client = Math.max(ends.client, depth);
      this.#deepestAtClient = Math.max(this.#deepestAtClient, depth);
      this.#roundTrips = Math.max(this.#roundTrips, depth);
    }
  }

  /** Stops counting. */
  [Symbol.dispose](): void {
    this.#stop(this);
  }

  #endsOf(connection: number): Ends {
    let ends = this.#ends.get(connection);
    if (ends === undefined) this.#ends.set(connection, ends = { client: 0, server: 0 });
    return ends;
  }
}

/** The depths that a chunk was given when it was sent, one for each meter that was counting then. */
export type FlightStamp = readonly (readonly [meter: FlightMeter, depth: number])[];

/**
 * Counts for any number of meters at once. With `sequence` (one client that opens its connections one after the other,
 * as `ssh` in a shell script) a new connection follows on everything the client has been handed by then; with
 * `independent` each begins at nothing, and the count is that of the longest.
 */
export class FlightCounter {
  readonly #order: ConnectionOrder;
  readonly #meters = new Set<FlightMeter>();

  constructor(order: ConnectionOrder = "sequence") {
    this.#order = order;
  }

  /** A meter that counts from now on. */
  meter(): FlightMeter {
    const meter = new FlightMeter(this.#order, (stopped) => this.#meters.delete(stopped));
    this.#meters.add(meter);
    return meter;
  }

  opened(connection: number): void {
    for (const meter of this.#meters) meter.opened(connection);
  }

  closed(connection: number): void {
    for (const meter of this.#meters) meter.closed(connection);
  }

  /** To be called when a chunk has been read from its sender. */
  sent(connection: number, direction: Direction): FlightStamp {
    return Array.from(this.#meters, (meter) => [meter, meter.sent(connection, direction)] as const);
  }

  /** To be called just before a chunk is written to its receiver. */
  delivered(connection: number, direction: Direction, stamp: FlightStamp, bytes: number): void {
    for (const meter of this.#meters) {
      const depth = stamp.find(([stamped]) => stamped === meter)?.[1] ?? 0;
      meter.delivered(connection, direction, depth, bytes);
    }
  }
}
