/** A real sshd behind links that count, in a home of its own, for figures that are counted: the guard's and the model's. */
import { type EmulatedLink, emulateLink } from "../lib/emulator/emulated_link.ts";
import { connect, type ConnectOptions } from "../lib/host/connect.ts";
import type { Host } from "../lib/host/host.ts";
import { KeeperWorld } from "../tests/master/keeper_world.ts";
import { broken } from "./contenders/report.ts";

export interface CountedWorldOptions {
  /** Round trips of the links, in milliseconds; 0 too is a link, which delays nothing. */
  readonly rttsMs: readonly number[];
  /** Addresses of the server; default three. */
  readonly hosts?: readonly string[];
}

/** Dispose it: keeper, links, server and home end with it. */
export class CountedWorld implements AsyncDisposable {
  readonly keepers: KeeperWorld;
  /** `rtt50` is the link with a round trip of 50 ms; `test1` … are the addresses of the server, past every link. */
  readonly configFile: string;
  readonly #links: ReadonlyMap<number, EmulatedLink>;
  #next = 0;

  private constructor(keepers: KeeperWorld, links: ReadonlyMap<number, EmulatedLink>, configFile: string) {
    this.keepers = keepers;
    this.#links = links;
    this.configFile = configFile;
  }

  static async start({ rttsMs, hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"] }: CountedWorldOptions) {
    await using stack = new AsyncDisposableStack();
    const keepers = stack.use(await KeeperWorld.make({ hosts }));
    const { sshd, home } = keepers;
    const links = new Map<number, EmulatedLink>();
    const aliases: string[] = [];
    for (const rttMs of rttsMs) {
      const link = stack.use(await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs }));
      links.set(rttMs, link);
      aliases.push(
        `Host rtt${rttMs}\n  HostName ${link.hostname}\n  Port ${link.port}\n` +
          `  HostKeyAlias [${sshd.host}]:${sshd.port}\n`,
      );
    }
    const shared = await Deno.readTextFile(keepers.configFile);
    const configFile = await home.write("counted_config", aliases.join("") + shared);
    stack.move();
    return new CountedWorld(keepers, links, configFile);
  }

  link(rttMs: number): EmulatedLink {
    return this.#links.get(rttMs)!;
  }

  /** Options for the hosts of this world. Sharing must not silently fall back: a notice is a failure here. */
  options(share: boolean): ConnectOptions {
    return {
      configFile: this.configFile,
      environment: this.keepers.home.env,
      share,
      prompter: {
        interactive: false,
        secret: () => Promise.resolve(null),
        line: () => Promise.resolve(null),
        notice: (message) => {
          throw broken(message);
        },
      },
    };
  }

  connect(rttMs: number, share: boolean): Promise<Host> {
    return connect(`rtt${rttMs}`, this.options(share));
  }

  /** A name that no other operation of this world has had. */
  fresh(name: string): string {
    return `${name}-${this.#next++}`;
  }

  /** The same, as a path in the caller's home. */
  local(name: string): string {
    return `${this.keepers.home.path}/${this.fresh(name)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Relays first would hang up on a keeper, which is killed anyway.
    await this.keepers[Symbol.asyncDispose]();
    for (const link of this.#links.values()) await link[Symbol.asyncDispose]();
  }
}
