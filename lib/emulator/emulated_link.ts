import net from "node:net";
import { LinkError, UsageError } from "../base/errors.ts";
import { type Clock, realClock } from "./clock.ts";
import { type DelayOptions, delays } from "./delays.ts";
import {
  type ConnectionOrder,
  type Direction,
  FlightCounter,
  type FlightMeter,
  type LinkCounters,
} from "./flights.ts";
import { type LinkParts, RelayedConnection } from "./relayed_connection.ts";
import { SharedWire } from "./shared_wire.ts";

/** What the link is like. */
export interface EmulateOptions extends DelayOptions {
  /** Where the server listens. */
  readonly to: { readonly hostname: string; readonly port: number };
  /** Where clients connect; default 127.0.0.1 and a free port. */
  readonly listen?: { readonly hostname?: string; readonly port?: number };
  /** In each direction, shared by all connections. Default: no limit. */
  readonly bandwidthBytesPerSecond?: number;
  /** Room in front of the wire, in each direction, shared by all connections; default 100 ms of it. */
  readonly queueBytes?: number;
  /**
   * Bytes that one connection may have under way in one direction, as TCP's window; default 32 MiB. TCP's slow start is
   * not emulated: the window is open from the beginning.
   */
  readonly windowBytes?: number;
  /** How round trips of several connections add up; default `sequence`. */
  readonly connectionOrder?: ConnectionOrder;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/**
 * Opens a slow link in this process: a TCP relay on loopback that delays, limits, breaks and counts. No privileges are
 * needed, and the kernel's own emulation is not.
 *
 * @throws {UsageError} for numbers that describe no link
 * @throws {LinkError} when the address to listen on is taken or not allowed
 *
 * @example
 * ```ts ignore
 * await using link = await emulateLink({ to: { hostname: "127.0.0.1", port: 22 }, rttMs: 50 });
 * using mark = link.mark();
 * // … connect to link.hostname, link.port, and run one command …
 * console.log(mark.counters().roundTrips);
 * ```
 */
export async function emulateLink(options: EmulateOptions): Promise<EmulatedLink> {
  checkNumbers(options);
  return new EmulatedLink(await listen(options.listen), options);
}

async function listen(
  { hostname = "127.0.0.1", port = 0 }: EmulateOptions["listen"] = {},
): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: Error) => {
      const where = `${hostname}:${port}`;
      reject(new LinkError("refused", { what: "Cannot listen", where, why: cause.message, cause }));
    });
    server.listen({ host: hostname, port }, resolve);
  });
  return server;
}

/** A slow link that is open; dispose it. */
export class EmulatedLink implements AsyncDisposable {
  /** Where clients connect. */
  readonly hostname: string;
  readonly port: number;
  readonly rttMs: number;
  readonly #servers: net.Server[] = [];
  readonly #parts: LinkParts;
  readonly #meter: FlightMeter;
  readonly #connections = new Set<RelayedConnection>();
  #nextId = 1;
  #plug: PromiseWithResolvers<void> | undefined;

  /** @internal Use {@linkcode emulateLink}. */
  constructor(server: net.Server, options: EmulateOptions) {
    const address = server.address() as net.AddressInfo;
    this.hostname = address.address;
    this.port = address.port;
    this.rttMs = options.rttMs;
    const clock = options.clock ?? realClock;
    const flights = new FlightCounter(options.connectionOrder);
    this.#meter = flights.meter();
    this.#parts = {
      clock,
      flights,
      to: options.to,
      oneWayMs: options.rttMs / 2,
      windowBytes: options.windowBytes ?? 32 * 1024 * 1024,
      wires: { up: new SharedWire({ ...options, clock }), down: new SharedWire({ ...options, clock }) },
      delayMs: delays(options),
      plugged: () => this.#plug?.promise ?? Promise.resolve(),
    };
    this.#serve(server, options.to);
  }

  /**
   * Leads to one more server over the same line: its connections share wire, queue, cuts and counters with the others,
   * as those of a fleet behind one uplink do.
   *
   * @throws {LinkError} when the address to listen on is taken or not allowed
   */
  async open(
    options: Pick<EmulateOptions, "to" | "listen">,
  ): Promise<{ readonly hostname: string; readonly port: number }> {
    const server = await listen(options.listen);
    this.#serve(server, options.to);
    const { address, port } = server.address() as net.AddressInfo;
    return { hostname: address, port };
  }

  #serve(server: net.Server, to: EmulateOptions["to"]): void {
    this.#servers.push(server);
    const parts = { ...this.#parts, to };
    server.on("connection", (client: net.Socket) => {
      const connection = new RelayedConnection(this.#nextId++, client, parts);
      this.#connections.add(connection);
      connection.done.then(() => this.#connections.delete(connection));
    });
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** The most bytes that waited for the wire in one direction at a time, since this was last asked. */
  takeQueuePeakBytes(direction: Direction): number {
    return this.#parts.wires[direction].takePeakBytes();
  }

  /** What passed since the link was opened. */
  counters(): LinkCounters {
    return this.#meter.counters();
  }

  /** Counts anew from here, beside the counters of the link; dispose it to stop. */
  mark(): FlightMeter {
    return this.#parts.flights.meter();
  }

  /**
   * Pulls the cable: nothing passes in either direction, no connection ends, nobody is told. What is under way waits, as
   * TCP keeps sending it again. A client that connects now is accepted, which a relay cannot prevent, and hears nothing.
   */
  cut(): void {
    if (this.#plug) return;
    this.#plug = Promise.withResolvers();
    for (const direction of ["up", "down"] satisfies Direction[]) this.#parts.wires[direction].hold();
    for (const connection of this.#connections) connection.hold();
  }

  /** Plugs the cable in again. */
  heal(): void {
    if (!this.#plug) return;
    const atMs = this.#parts.clock.now();
    for (const direction of ["up", "down"] satisfies Direction[]) this.#parts.wires[direction].release();
    for (const connection of this.#connections) connection.release(atMs);
    this.#plug.resolve();
    this.#plug = undefined;
  }

  /** Resets every connection that is open, on both sides, at once. New ones are welcome. */
  async reset(): Promise<void> {
    const connections = [...this.#connections];
    for (const connection of connections) connection.reset();
    await Promise.all(connections.map((connection) => connection.done));
  }

  /** Ends all connections and stops listening; idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#servers.filter((server) => server.listening)
      .map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const direction of ["up", "down"] satisfies Direction[]) this.#parts.wires[direction].stop();
    for (const connection of this.#connections) connection.close();
    this.#plug?.resolve();
    await Promise.all(Array.from(this.#connections, (connection) => connection.done));
    await Promise.all(stopped);
  }
}

function checkNumbers(options: EmulateOptions): void {
  const refuse = (name: string, value: number, allowed: string) => {
    throw new UsageError({
      what: "Cannot emulate this link",
      why: `${name} is ${value}`,
      fix: `give ${allowed}`,
    }, "bad-value");
  };
  const { loss } = options;
  for (
    const [name, value] of [
      ["rttMs", options.rttMs],
      ["jitterMs", options.jitterMs],
      ["loss.stallMs", loss?.stallMs],
    ] as const
  ) {
    if (value !== undefined && !(value >= 0 && value < Infinity)) {
      refuse(name, value, "0 or more milliseconds");
    }
  }
  for (const name of ["bandwidthBytesPerSecond", "queueBytes", "windowBytes"] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 1)) refuse(name, value, "1 or more");
  }
  if (loss && !(loss.rate >= 0 && loss.rate <= 1)) refuse("loss.rate", loss.rate, "0 to 1");
}
