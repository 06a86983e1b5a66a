import { join } from "../deps/node_path.ts";
import { type EmbeddedHost, startEmbeddedHost } from "../emulator/embedded_host.ts";
import { type EmulatedLink, emulateLink } from "../emulator/emulated_link.ts";
import type { LinkCounters } from "../emulator/flights.ts";

/** Embedded hosts, each behind a slow link, and the ssh_config that leads to them by name. */
export class DemoHosts implements AsyncDisposable {
  /** `web1`, `web2` … */
  readonly names: readonly string[];
  /** For `ssh -F` and Carpool. */
  readonly configFile: string;
  readonly #hosts: readonly EmbeddedHost[];
  readonly #links: readonly EmulatedLink[];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    configFile: string,
    hosts: readonly EmbeddedHost[],
    links: readonly EmulatedLink[],
  ) {
    this.#stack = stack;
    this.configFile = configFile;
    this.#hosts = hosts;
    this.#links = links;
    this.names = hosts.map((_, index) => nameOf(index));
  }

  /** Starts `count` hosts; their homes and the client's files lie in `directory`. */
  static async start(count: number, rttMs: number, directory: string): Promise<DemoHosts> {
    await using stack = new AsyncDisposableStack();
    const hosts: EmbeddedHost[] = [];
    const links: EmulatedLink[] = [];
    const config: string[] = [];
    for (let index = 0; index < count; index++) {
      const host = stack.use(await startEmbeddedHost({ clientKey: hosts[0]?.clientKey, directory }));
      const link = stack.use(await emulateLink({ to: host, rttMs }));
      const { identityFile, knownHostsFile } = await host.writeClientFiles(directory, link);
      await host.writeClientFiles(directory); // the way past the link, for the warm-up
      hosts.push(host);
      links.push(link);
      config.push(
        `Host ${nameOf(index)}`,
        `  HostName ${link.hostname}`,
        `  Port ${link.port}`,
        `  User ${host.user}`,
        `  IdentityFile ${identityFile}`,
        `  UserKnownHostsFile ${knownHostsFile}`,
      );
    }
    config.push(
      "Host *",
      "  GlobalKnownHostsFile none",
      "  IdentitiesOnly yes",
      "  IdentityAgent none",
      "  StrictHostKeyChecking yes",
      "  BatchMode yes",
      "",
    );
    const configFile = join(directory, "ssh_config");
    await Deno.writeTextFile(configFile, config.join("\n"));
    return new DemoHosts(stack.move(), configFile, hosts, links);
  }

  /** The port of the first host itself, past its link. */
  get directPort(): number {
    return this.#hosts[0].port;
  }

  /** What passes until the result is asked for: connections of all hosts, and the longest of their chains. */
  measure(): () => Pick<LinkCounters, "connections" | "roundTrips"> {
    const marks = this.#links.map((link) => link.mark());
    return () => {
      const counters = marks.map((mark) => mark.counters());
      for (const mark of marks) mark[Symbol.dispose]();
      return {
        connections: counters.reduce((sum, { connections }) => sum + connections, 0),
        roundTrips: Math.max(...counters.map(({ roundTrips }) => roundTrips)),
      };
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function nameOf(index: number): string {
  return `web${index + 1}`;
}
