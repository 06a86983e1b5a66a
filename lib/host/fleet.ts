import { pooledMap } from "../deps/std_async.ts";
import { expandHostRange } from "../target/host_range.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import type { ExecOptions, ExecResult } from "./exec_options.ts";
import type { Host } from "./host.ts";

export interface FleetOptions extends ConnectOptions {
  /** Hosts worked on at a time; default 32. */
  readonly parallel?: number;
}

/** What one host of a fleet answered: `result`, or `error` when there is none. */
export interface FleetAnswer<Result> {
  /** The destination as named to {@linkcode fleet}, ranges expanded. */
  readonly host: string;
  readonly result?: Result;
  readonly error?: unknown;
}

/**
 * Many hosts as one. Nothing is contacted until there is something to do; each host is connected to once, and stays
 * so until the fleet is disposed.
 *
 * ```ts ignore
 * await using all = fleet(["web[01-20]", "db1"], { parallel: 32 });
 * for await (const { host, result, error } of all.exec("uptime")) console.log(host, result?.stdout ?? error);
 * ```
 */
export function fleet(hosts: readonly string[], options: FleetOptions = {}): Fleet {
  return new Fleet(hosts, options);
}

export class Fleet implements AsyncDisposable {
  /** Destinations, ranges expanded, each once, in order. */
  readonly hosts: readonly string[];
  readonly #options: FleetOptions;
  readonly #connections = new Map<string, Promise<Host>>();

  constructor(hosts: readonly string[], options: FleetOptions) {
    this.hosts = [...new Set(hosts.flatMap((pattern) => expandHostRange(pattern)))];
    this.#options = options;
  }

  /** The connection to one of the hosts, made when first asked for; a failed one is tried anew next time. */
  host(name: string): Promise<Host> {
    let connecting = this.#connections.get(name);
    if (connecting === undefined) {
      connecting = connect(name, this.#options);
      this.#connections.set(name, connecting);
      connecting.then(
        (host) => host.closed.then(() => this.#connections.delete(name)),
        () => this.#connections.delete(name),
      );
    }
    return connecting;
  }

  /** Runs a command on every host; yields each answer as it comes. */
  exec(command: string, options: ExecOptions = {}): AsyncIterable<FleetAnswer<ExecResult>> {
    return this.each((host) => host.exec(command, options));
  }

  /** Does anything with every host, `parallel` at a time; yields each answer in the order of the hosts. */
  each<Result>(work: (host: Host) => Promise<Result>): AsyncIterable<FleetAnswer<Result>> {
    return pooledMap(this.#options.parallel ?? 32, this.hosts, async (name): Promise<FleetAnswer<Result>> => {
      try {
        return { host: name, result: await work(await this.host(name)) };
      } catch (error) {
        return { host: name, error };
      }
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#connections.values()].map(async (host) => (await host).close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
