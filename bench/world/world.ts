/** What contenders run in: a real sshd, links to it, a home of its own, OpenSSH's masters and Carpool's keeper. */
import { CarpoolError } from "../../lib/base/errors.ts";
import { EmulatedLink, emulateLink, type EmulateOptions } from "../../lib/emulator/emulated_link.ts";
import type { OpenSsh } from "../../tests/support/openssh.ts";
import { gone, processesMarked, signalProcess } from "../../tests/support/processes.ts";
import { run, type RunOptions, type RunResult } from "../../tests/support/run.ts";
import { type Sshd, startSshd } from "../../tests/support/sshd.ts";
import { TempHome } from "../../tests/support/temp_home.ts";
import type { Tool } from "../../tests/support/tools.ts";
import type { ContenderReport } from "../contenders/report.ts";
import type { Measurement } from "../method/workload.ts";
import { BY_URL_FLAGS, CARPOOL_FLAGS, loopScript, parseTimes, processUse } from "./programs.ts";

const CONTENDERS = new URL("../contenders/", import.meta.url);
const COMMAND = new URL("../../lib/cli/main.ts", import.meta.url).pathname;
const MOD = new URL("../../mod.ts", import.meta.url).pathname;

export interface WorldOptions {
  /** Round trips of the links wanted beside loopback, in milliseconds. */
  readonly rttsMs?: readonly number[];
  /** Addresses of the server; default 127.0.0.1 alone. */
  readonly hosts?: readonly string[];
  /** Further links, each by the alias that leads to it. */
  readonly links?: Readonly<Record<string, LinkOptions>>;
  /** Programs that sessions find in their PATH. */
  readonly programs?: readonly Tool[];
  /** What starts sshd and stays its parent: {@linkcode import("../peers/reaper.ts").reaper}. */
  readonly within?: readonly string[];
}

/** A link to one address of the server. */
export interface LinkOptions extends Omit<EmulateOptions, "to"> {
  /** Default: the first one. */
  readonly host?: string;
  /** An alias before this one, whose line it shares: everything else is that one's. */
  readonly line?: string;
}

/** Where an alias leads. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** A master that `ssh -M` holds. */
export interface SshMaster {
  readonly socket: string;
  readonly pid: number;
}

/**
 * Dispose it: keeper, masters, links and server end with it.
 *
 * The relays of slow links run in this process, never in a contender's: what they cost nobody is charged with.
 */
export class World implements AsyncDisposable {
  readonly sshd: Sshd;
  readonly home: TempHome;
  readonly env: Readonly<Record<string, string>>;
  /** For `ssh -F` and Carpool: `rtt0` is the server itself, `rtt50` the link with a round trip of 50 ms … */
  readonly configFile: string;
  /** Whether CPU time of the server's processes adds up in the one that stays. */
  readonly countsServerCpu: boolean;
  /** Processes of the server while nobody is connected, beside its listeners. */
  readonly idleServerPids: readonly number[];
  readonly #links: readonly EmulatedLink[];
  readonly #addresses: ReadonlyMap<string, Address>;
  readonly #masters = new Map<string, SshMaster>();
  readonly #echoes = new Map<number, Echo>();

  private constructor(
    sshd: Sshd,
    home: TempHome,
    links: readonly EmulatedLink[],
    leads: ReadonlyMap<string, Address>,
    configFile: string,
    countsServerCpu: boolean,
  ) {
    this.countsServerCpu = countsServerCpu;
    this.idleServerPids = sshd.processes();
    this.sshd = sshd;
    this.home = home;
    this.env = { ...home.env, ...sshd.openssh.env };
    this.configFile = configFile;
    this.#links = links;
    const direct = sshd.hosts.map((hostname, index) =>
      [`test${index + 1}`, { hostname, port: sshd.port }] as const
    );
    const own = { hostname: sshd.host, port: sshd.port };
    this.#addresses = new Map<string, Address>([["rtt0", own], ...direct, ...leads]);
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const { rttsMs = [], hosts, links: more = {}, programs, within } = options;
    await using stack = new AsyncDisposableStack();
    const sshd = stack.use(await startSshd({ hosts, programs, within }));
    const home = stack.use(await TempHome.make());
    const links = new Map<string, EmulatedLink>();
    const aliases = [`Host rtt0\n  HostName ${sshd.host}\n`];
    const wanted: [string, LinkOptions][] = rttsMs.map((rttMs) => [`rtt${rttMs}`, { rttMs }]);
    const leads = new Map<string, Address>();
    for (const [alias, { host = sshd.host, line, ...options }] of [...wanted, ...Object.entries(more)]) {
      const to = { hostname: host, port: sshd.port };
      const shared = line === undefined ? undefined : links.get(line);
      const link = shared ? await shared.open({ to }) : stack.use(await emulateLink({ to, ...options }));
      if (link instanceof EmulatedLink) links.set(alias, link);
      leads.set(alias, link);
      aliases.push(
        `Host ${alias}\n  HostName ${link.hostname}\n  Port ${link.port}\n` +
          `  HostKeyAlias [${sshd.host}]:${sshd.port}\n`,
      );
    }
    // ControlPath none would forbid Carpool to share, too; stock clients are told with -S what to ride.
    const shared = (await Deno.readTextFile(sshd.configFile)).replace(/^ *ControlPath none$/m, "");
    const config = aliases.join("") + shared;
    const configFile = await home.write("bench_config", config);
    stack.move();
    return new World(sshd, home, [...links.values()], leads, configFile, within !== undefined);
  }

  /** Where an alias of {@linkcode configFile} leads, for programs that do not read it. */
  address(alias: string): Address {
    const { hostname, port } = this.#addresses.get(alias)!;
    return { hostname, port };
  }

  get openssh(): OpenSsh {
    return this.sshd.openssh;
  }

  /** Runs a program in this world's home; it must succeed. */
  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const result = await run(program, args, {
      env: this.env,
      clearEnv: true,
      cwd: this.home.path,
      deadlineMs: 150_000,
      ...options,
    });
    if (result.success) return result;
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-500);
    throw failed(`${program} ${args.at(-1)?.slice(0, 200)}`, `status ${result.code}: ${said}`);
  }

  /** Runs a program of `contenders/` as a process of its own and takes what it measured itself. */
  async contender(name: string, options: object): Promise<Measurement> {
    const program = new URL(name, CONTENDERS).pathname;
    const v8 = name === "soak.ts" ? ["--v8-flags=--expose-gc"] : [];
    const given = JSON.stringify({ configFile: this.configFile, ...options });
    const { stdout } = await this.run(Deno.execPath(), [...CARPOOL_FLAGS, ...v8, program, given]);
    const { totalMs, operations, cpuMs, more }: ContenderReport = JSON.parse(stdout);
    return { value: totalMs / operations, operations, clientCpuMs: cpuMs / operations, more };
  }

  /** Starts a program `count` times in a row, from a small shell, and takes the mean of the whole processes. */
  async processes(count: number, words: readonly string[], warmUp = 1): Promise<Measurement> {
    if (warmUp > 0) await this.run("/bin/sh", ["-c", loopScript, "sh", String(warmUp), ...words]);
    const startedAt = performance.now();
    const { stdout } = await this.run("/bin/sh", ["-c", loopScript, "sh", String(count), ...words]);
    const value = (performance.now() - startedAt) / count;
    return { value, operations: count, clientCpuMs: parseTimes(stdout) / count };
  }

  /**
   * Adds to a measurement the CPU time that processes in the background (a master, the keeper) used meanwhile: the
   * client's side is all of them. `operations` is how many they served, warm-up included.
   */
  async withBackground(
    pids: readonly number[],
    operations: number,
    measure: () => Promise<Measurement>,
  ): Promise<Measurement> {
    const before = await Promise.all(pids.map(processUse));
    const measurement = await measure();
    const after = await Promise.all(pids.map(processUse));
    const used = after.reduce((sum, { cpuSeconds }, index) => sum + cpuSeconds - before[index].cpuSeconds, 0);
    const backgroundCpuMs = used * 1000 / operations;
    return {
      ...measurement,
      clientCpuMs: (measurement.clientCpuMs ?? 0) + backgroundCpuMs,
      more: { ...measurement.more, backgroundCpuMs },
    };
  }

  /** What a round trip takes over a link like `rtt<N>`: no SSH, one byte to an echo and back. */
  async ping(rttMs: number, count = 10): Promise<Measurement> {
    let echo = this.#echoes.get(rttMs);
    if (echo === undefined) this.#echoes.set(rttMs, echo = await startEcho(rttMs));
    const { hostname, port } = echo.link ?? echo.listener.addr;
    return await this.contender("ping.ts", { hostname, port, warmUp: 2, count });
  }

  /** The words of a stock `ssh` in this world. */
  ssh(...args: readonly string[]): string[] {
    return [this.openssh.ssh, "-F", this.configFile, ...args];
  }

  /** The words of the `carpool` command, as README's alias has them. */
  carpool(...args: readonly string[]): string[] {
    return [Deno.execPath(), ...CARPOOL_FLAGS, "--no-config", COMMAND, ...args];
  }

  /** The same with what `deno.json` says, as `deno task carpool` starts it. */
  carpoolInCheckout(...args: readonly string[]): string[] {
    return [Deno.execPath(), ...CARPOOL_FLAGS, COMMAND, ...args];
  }

  /** The same as somebody starts it who has only its URL. */
  carpoolByUrl(...args: readonly string[]): string[] {
    return [Deno.execPath(), ...BY_URL_FLAGS, COMMAND, ...args];
  }

  /** The same by the module's door, whose graph has all that a program which imports it may need. */
  carpoolByModule(...args: readonly string[]): string[] {
    return [Deno.execPath(), ...BY_URL_FLAGS, MOD, ...args];
  }

  /** OpenSSH's own master for a host; the first call starts it. */
  async sshMaster(host: string): Promise<SshMaster> {
    const known = this.#masters.get(host);
    if (known !== undefined) return known;
    const socket = `${this.home.path}/ssh-${host}`;
    const words = this.ssh("-M", "-N", "-f", "-S", socket, "-o", "ControlPersist=no", host);
    // Its stderr must not be ours: whoever waits for its end would wait for the master's.
    await this.run("/bin/sh", ["-c", 'exec "$@" 2>/dev/null', "sh", ...words]);
    const [program, ...args] = this.ssh("-S", socket, "-O", "check", host);
    const { stdout, stderr } = await this.run(program, args);
    const master = { socket, pid: Number(/pid=(\d+)/.exec(stdout + stderr)![1]) };
    this.#masters.set(host, master);
    return master;
  }

  /** The keeper with a master for a host, which the first call starts. */
  async keeperWith(host: string, configLines: readonly string[] = []): Promise<number> {
    await this.contender("exec_loop.ts", { host, share: true, configLines, warmUp: 0, count: 1 });
    return await this.keeperPid();
  }

  /** Ends the keeper and its masters, if there is one. */
  async endKeeper(): Promise<void> {
    const pid = await this.#findKeeper();
    if (pid !== undefined) await end([pid], "SIGTERM");
  }

  /** The keeper's process; a master must be alive in it. */
  async keeperPid(): Promise<number> {
    const pid = await this.#findKeeper();
    if (pid === undefined) throw failed("carpool masters", "the keeper holds no master");
    return pid;
  }

  // By its command line: `carpool masters` tells the pid of whoever holds a connection, which need not be the keeper.
  async #findKeeper(): Promise<number | undefined> {
    const lines = processesMarked(this.home.path).map((pid) => `/proc/${pid}/cmdline`);
    const script = 'grep -lsF keeper_main.ts "$@" /dev/null; true';
    const { stdout } = await this.run("/bin/sh", ["-c", script, "sh", ...lines]);
    const pid = /\/proc\/(\d+)\//.exec(stdout)?.[1];
    return pid === undefined ? undefined : Number(pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(processesMarked(this.home.path), "SIGKILL");
    for (const link of this.#links) await link[Symbol.asyncDispose]();
    for (const { listener, link } of this.#echoes.values()) {
      listener.close();
      await link?.[Symbol.asyncDispose]();
    }
    await this.sshd.stop();
    await this.home[Symbol.asyncDispose]();
  }
}

interface Echo {
  readonly listener: Deno.TcpListener;
  readonly link: EmulatedLink | undefined;
}

async function startEcho(rttMs: number): Promise<Echo> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const connection of listener) {
      connection.setNoDelay(true);
      connection.readable.pipeTo(connection.writable).catch(() => {}); // whoever asked has gone
    }
  })();
  if (rttMs === 0) return { listener, link: undefined };
  const { hostname, port } = listener.addr;
  return { listener, link: await emulateLink({ to: { hostname, port }, rttMs }) };
}

async function end(pids: readonly number[], signal: Deno.Signal): Promise<void> {
  for (const pid of pids) signalProcess(pid, signal);
  await gone(pids);
}

/** A contender that did not do what it was to do. */
export function failed(where: string, why: string): CarpoolError {
  return new CarpoolError("bench", { what: "Cannot measure", where, why });
}
