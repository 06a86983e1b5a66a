/**
 * A real sshd for a test: on loopback, with accounts, keys, home and configuration of its own in a temporary
 * directory, and nothing left when it is disposed.
 *
 * It runs unprivileged. Called by root it runs as another uid, so that the test sees a second user and nothing of
 * the system (no /run/sshd, no user `sshd`) is needed or made; called by anyone else it runs as the caller.
 * libnss_wrapper supplies the accounts in both cases.
 */
import { join } from "@std/path";
import type { LogFile } from "./log_file.ts";
import { type OpenSsh, openssh } from "./openssh.ts";
import { gone, processesMarked, processesUnder, signalProcess } from "./processes.ts";
import { publicTempDir } from "./public_files.ts";
import { sshClientFiles } from "./sshd_client.ts";
import { accountEnv, serverConfig } from "./sshd_config.ts";
import { layOut, type SshdLayout, type SshdOptions, startFailed } from "./sshd_layout.ts";
import { installed } from "./tools.ts";

export type { HostKeyType, LoginShell, SshdOptions } from "./sshd_layout.ts";

/** sshd takes at most 16 addresses (MAX_LISTEN_SOCKS in its source), so more of them need more processes. */
const ADDRESSES_PER_PROCESS = 16;

/** A running sshd; dispose it. */
export class Sshd implements AsyncDisposable {
  /** The first address. */
  readonly host: string;
  readonly hosts: readonly string[];
  readonly port: number;
  readonly user: string;
  /** The uid of the account: another one than the caller's when that is root. */
  readonly uid: number;
  /** The home of `user`: empty at first. */
  readonly home: string;
  /** The temporary directory that holds it all. */
  readonly dir: string;
  /** The private key that opens `user`: the caller's, mode 0600. */
  readonly identityFile: string;
  readonly publicKeyFile: string;
  readonly authorizedKeysFile: string;
  /** Right for every address of this server. */
  readonly knownHostsFile: string;
  /**
   * For `ssh -F` and Carpool: the alias `test` (the first address), `test1`, `test2` … (each address in turn),
   * and any address of the server itself; port, user, key and host keys are set for all.
   */
  readonly configFile: string;
  /** The public host keys. */
  readonly hostKeyFiles: readonly string[];
  readonly openssh: OpenSsh;
  readonly #log: LogFile;
  readonly #listeners: readonly Deno.ChildProcess[];
  #stopped: Promise<void> | undefined;

  /** Use {@link startSshd}. */
  constructor(
    layout: SshdLayout,
    running: { readonly port: number; readonly listeners: readonly Deno.ChildProcess[] },
    client: { readonly configFile: string; readonly knownHostsFile: string },
  ) {
    this.host = layout.hosts[0];
    this.hosts = layout.hosts;
    this.port = running.port;
    this.user = layout.users[0];
    this.uid = layout.uid;
    this.dir = layout.dir;
    this.home = join(layout.dir, "home", this.user);
    this.identityFile = layout.identityFile;
    this.publicKeyFile = `${layout.identityFile}.pub`;
    this.authorizedKeysFile = layout.authorizedKeysFile;
    this.knownHostsFile = client.knownHostsFile;
    this.configFile = client.configFile;
    this.hostKeyFiles = layout.hostKeyFiles.map((file) => `${file}.pub`);
    this.openssh = layout.openssh;
    this.#log = layout.log;
    this.#listeners = running.listeners;
  }

  /** How many TCP connections the server has accepted. It logs each before it authenticates anyone. */
  connections(): number {
    return this.#log.count(/^Connection from /gm);
  }

  /** How many sessions (exec, shell, subsystem) the server has started. */
  sessions(): number {
    return this.#log.count(/^Starting session: /gm);
  }

  /** The whole log. */
  log(): string {
    return this.#log.text();
  }

  /** Waits until the log matches. */
  waitForLog(pattern: RegExp, deadlineMs?: number): Promise<RegExpExecArray> {
    return this.#log.waitFor(pattern, { deadlineMs });
  }

  /** Pids of all that runs under the server: its connections' processes, shells, commands, and orphans of them. */
  processes(): number[] {
    const listeners = new Set(this.#listeners.map(({ pid }) => pid));
    const under = [...listeners].flatMap((pid) => processesUnder(pid)).map(({ pid }) => pid);
    const marked = [
      ...processesMarked(join(this.dir, "home")),
      ...processesMarked(join(this.dir, "server")),
    ];
    const pids = new Set([...under, ...marked]).difference(listeners);
    return [...pids].sort((a, b) => a - b);
  }

  /** Pids of the listening processes. */
  listenerPids(): number[] {
    return this.#listeners.map(({ pid }) => pid);
  }

  /**
   * Cuts every connection as a power failure of the server would, but at once visible to the client: the
   * processes of connections and sessions are killed; the server keeps listening.
   */
  async dropConnections(): Promise<void> {
    await this.#forked();
    await killAll(() => this.processes());
  }

  /**
   * Waits until each login has its own process, which sshd names in its log. One that is killed while it forks leaves a
   * child behind that holds the connection and that nothing tells to be ours. (A login that fails right after it was
   * accepted never has one: the wait is bounded.)
   */
  async #forked(): Promise<void> {
    for (let look = 0; look < 200; look++) {
      if (this.#log.count(/^Accepted \S+ for /gm) <= this.#log.count(/^User child is on pid /gm)) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Ends the server and all that runs under it, and removes its directory. Idempotent. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    // The listeners first: no new connection may slip in while the others are being ended.
    for (const { pid } of this.#listeners) signalProcess(pid, "SIGTERM");
    await this.#forked();
    await killAll(() => this.processes());
    await Promise.all(this.#listeners.map(({ status }) => status));
    await killAll(() => this.processes());
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** Starts a server and waits until it listens. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const tools = await openssh();
  const dir = await publicTempDir("carpool-sshd-");
  try {
    const layout = await layOut(dir, tools, options);
    for (let attempt = 1;; attempt++) {
      const port = freePort(layout.hosts[0]);
      const listeners = await listen(layout, port, options);
      if (listeners) return new Sshd(layout, { port, listeners }, await sshClientFiles(layout, port));
      // Someone took the port between our look and sshd's bind.
      if (attempt === 5) throw startFailed(layout.log.text());
      await Deno.truncate(layout.log.path);
    }
  } catch (error) {
    await Deno.remove(dir, { recursive: true });
    throw error;
  }
}

/** Starts the listening processes; undefined when the port was taken. */
async function listen(
  layout: SshdLayout,
  port: number,
  options: SshdOptions,
): Promise<Deno.ChildProcess[] | undefined> {
  const listeners: Deno.ChildProcess[] = [];
  const failed = new AbortController();
  for (let first = 0; first < layout.hosts.length; first += ADDRESSES_PER_PROCESS) {
    const hosts = layout.hosts.slice(first, first + ADDRESSES_PER_PROCESS);
    const configFile = join(layout.dir, "server", `sshd_config.${first / ADDRESSES_PER_PROCESS}`);
    await Deno.writeTextFile(configFile, await serverConfig(layout, hosts, port, options));
    const listener = await spawnListener(layout, configFile, options.within);
    listener.status.then(() => failed.abort());
    listeners.push(listener);
  }
  try {
    for (const host of layout.hosts) {
      const line = new RegExp(`^Server listening on ${RegExp.escape(host)} port ${port}\\.`, "m");
      await layout.log.waitFor(line, { signal: failed.signal });
    }
    return listeners;
  } catch (error) {
    for (const { pid } of listeners) signalProcess(pid, "SIGKILL");
    await Promise.all(listeners.map(({ status }) => status));
    const log = layout.log.text();
    if (/Address already in use/.test(log)) return undefined;
    throw failed.signal.aborted ? startFailed(log) : error;
  }
}

async function spawnListener(
  layout: SshdLayout,
  configFile: string,
  within: readonly string[] = [],
): Promise<Deno.ChildProcess> {
  const sshd = [...within, layout.sshd.path, "-D", "-e", "-f", configFile];
  const setpriv = await installed("setpriv") ??
    await Deno.realPath("/usr/bin/setpriv").catch(() => undefined);
  const other = layout.uid !== Deno.uid();
  // With --pdeathsig no server outlives a test process that was killed and so could not stop it.
  const ids = other ? [`--reuid=${layout.uid}`, `--regid=${layout.uid}`, "--clear-groups"] : [];
  const words = setpriv ? [setpriv, ...ids, "--pdeathsig=TERM", "--", ...sshd] : sshd;
  return new Deno.Command("/bin/sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", layout.log.path, ...words],
    ...(other && !setpriv ? { uid: layout.uid, gid: layout.uid } : {}),
    clearEnv: true,
    env: { ...layout.sshd.env, ...accountEnv(layout), PATH: "/usr/local/bin:/usr/bin:/bin" },
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

function freePort(hostname: string): number {
  using listener = Deno.listen({ hostname, port: 0 });
  return listener.addr.port;
}

/** Kills until none is left: a process may start another while it is being ended. */
async function killAll(list: () => number[]): Promise<void> {
  for (let pids = list(); pids.length > 0; pids = list()) {
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await gone(pids);
  }
}
