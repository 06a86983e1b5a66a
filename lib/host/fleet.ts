import { type HostNames, type HostSet, hostsOf, noNames } from "../target/host_pattern.ts";
import type { TargetOptions } from "../target/target.ts";
import type { ConnectOptions } from "./connect.ts";
import type { ExecOptions, ExecResult } from "./exec_options.ts";
import type { Host } from "./host.ts";

/** How a fleet's hosts are connected to, and how many at a time. */
export interface FleetOptions extends ConnectOptions {
  /** Hosts worked on at a time; default 32. */
  readonly parallel?: number;
  /** Groups of hosts by name, for `@name` in a pattern; each is a pattern, or a list of them. */
  readonly groups?: Readonly<Record<string, string | readonly string[]>>;
}

/** A host of a fleet with a way to connect of its own, as `findHosts` gives it. */
export interface FleetHost {
  /** A destination. */
  readonly host: string;
  /** How to connect to it; the fleet's own options win over these. */
  readonly options?: TargetOptions;
}

/** What one host of a fleet answered: `result`, or `error` when there is none. */
export interface FleetAnswer<Result> {
  /** The destination as named to {@linkcode fleet}, ranges expanded. */
  readonly host: string;
  /** What the host gave; undefined when there is an `error`. */
  readonly result?: Result;
  /** Why there is no result: most often a `LinkError` or `HostKeyError`. */
  readonly error?: unknown;
}

/**
 * Many hosts as one: connects to each when there is something to do, once, until it is disposed.
 */
export class Fleet implements AsyncDisposable {
  /** Destinations, ranges expanded, each once, in order. */
  readonly hosts: readonly string[];
  readonly #options: Omit<FleetOptions, "groups">;
  readonly #own: ReadonlyMap<string, TargetOptions>;
  readonly #connections = new Map<string, Promise<Host>>();

  /** @ignore Use {@linkcode fleet}. */
  constructor(hosts: readonly (string | FleetHost)[], options: FleetOptions) {
    const { groups = {}, ...connectOptions } = options;
    const names = groupNames(groups);
    let found: HostSet | undefined;
    const own = new Map<string, TargetOptions>();
    for (const one of hosts) {
      if (typeof one === "string") {
        // A pattern is about everything before it: `["web[01-20]", "!web07"]`.
        found = hostsOf(one, names, found);
      } else {
        if (one.options) own.set(one.host, one.options);
        (found ??= new Map()).set(one.host, undefined);
      }
    }
    this.hosts = [...found?.keys() ?? []];
    this.#options = connectOptions;
    this.#own = own;
  }

  /** The connection to one of the hosts, made when first asked for; a failed one is tried anew next time. */
  host(name: string): Promise<Host> {
    let connecting = this.#connections.get(name);
    if (connecting === undefined) {
      const given = Object.entries(this.#options).filter(([, value]) => value !== undefined);
      const options = { ...this.#own.get(name), ...Object.fromEntries(given) };
      connecting = import("./connect.ts").then(({ connect }) => connect(name, options));
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

  /** Does anything with every host, `parallel` at a time; yields each answer as it comes. */
  async *each<Result>(work: (host: Host) => Promise<Result>): AsyncGenerator<FleetAnswer<Result>> {
    const waiting = [...this.hosts];
    const running = new Map<string, Promise<FleetAnswer<Result>>>();
    const parallel = Math.max(1, this.#options.parallel ?? 32);
    while (waiting.length > 0 || running.size > 0) {
      for (const name of waiting.splice(0, parallel - running.size)) {
        running.set(name, this.#answer(name, work));
      }
      const answer = await Promise.race(running.values());
      running.delete(answer.host);
      yield answer;
    }
  }

  async #answer<Result>(name: string, work: (host: Host) => Promise<Result>): Promise<FleetAnswer<Result>> {
    try {
      return { host: name, result: await work(await this.host(name)) };
    } catch (error) {
      return { host: name, error };
    }
  }

  /** Closes every connection that was made; idempotent. A shared master stays for its linger time. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#connections.values()].map(async (host) => (await host).close()));
  }

  /** Closes, as {@linkcode Fleet.close} does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Groups given in code; one that names itself means the host of that name. */
function groupNames(groups: NonNullable<FleetOptions["groups"]>): HostNames {
  const names = Object.keys(groups);
  if (names.length === 0) return noNames;
  const everyone = () => new Set(names.flatMap((name) => [...membersOf(name, [])]));
  const membersOf = (name: string, inside: readonly string[]): Iterable<string> => {
    const hosts = groups[name]!;
    return hostsOf(typeof hosts === "string" ? hosts : hosts.join(","), {
      ...top,
      group: (other) =>
        Object.hasOwn(groups, other) && other !== name && !inside.includes(other)
          ? membersOf(other, [...inside, name])
          : undefined,
    }).keys();
  };
  const top: HostNames = {
    source: "the option groups",
    group: (name) =>
      Object.hasOwn(groups, name) ? membersOf(name, []) : name === "all" ? everyone() : undefined,
    groupNames: () => names,
    all: everyone,
    known: everyone,
  };
  return top;
}
