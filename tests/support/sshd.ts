/**
 * A real sshd for a test: on loopback, with accounts, keys, home and configuration of its own in a temporary
 * directory, and nothing left when it is disposed.
 *
 * It runs unprivileged. Called by root it runs as another uid, so that the test sees a second user and nothing of
 * the system (no /run/sshd, no user `sshd`) is needed or made; called by anyone else it runs as the caller.
 * libnss_wrapper supplies the accounts in both cases.
 */
import { dirname, join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import { LogFile } from "./log_file.ts";
import { type OpenSsh, openssh } from "./openssh.ts";
import { gone, processesMarked, processesUnder, signalProcess } from "./processes.ts";
import { exposeTool, publicTempDir } from "./public_files.ts";
import { sshClientFiles } from "./sshd_client.ts";
import { accountEnv, groupFile, passwdFile, serverConfig } from "./sshd_config.ts";
import { installed, type Tool } from "./tools.ts";

/** The uid that sshd and its sessions get when root calls. */
export const OTHER_UID = 20022;

/** sshd takes at most 16 addresses (MAX_LISTEN_SOCKS in its source), so more of them need more processes. */
const ADDRESSES_PER_PROCESS = 16;

export type HostKeyType = "ed25519" | "rsa" | "ecdsa";

export interface SshdOptions {
  /** An address in 127.0.0.0/8; default 127.0.0.1. */
  readonly host?: string;
  /** Several addresses at once, all on the same port, cheaply: 16 of them share a process. */
  readonly hosts?: readonly string[];
  /** Further lines for sshd_config, before ours (the first value wins); `Match` blocks go to its end. */
  readonly config?: readonly string[];
  /** The accounts' login shell; default /bin/sh. */
  readonly loginShell?: string | LoginShell;
  /** Default: ed25519 alone. */
  readonly hostKeyTypes?: readonly HostKeyType[];
  /** Names of the accounts; default `["tester"]`. All have the same uid, the only one that sshd can serve. */
  readonly users?: readonly string[];
  /** Turns password authentication on, with this password. */
  readonly password?: string;
  /** Patterns of variables that clients may set, as in AcceptEnv. */
  readonly acceptEnv?: readonly string[];
  /** Variables of every session. A SetEnv line in `config` would hide the account from the session's programs. */
  readonly setEnv?: Readonly<Record<string, string>>;
  /** Default VERBOSE, the least that lets connections and sessions be counted. */
  readonly logLevel?: "VERBOSE" | "DEBUG" | "DEBUG2" | "DEBUG3";
}

/** A program as a login shell: with `applet` it is called as `program applet …`. */
export interface LoginShell {
  readonly tool: Tool;
  readonly applet?: string;
}

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
    layout: Omit<SshdLayout, "uid"> & { readonly uid: number },
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
    await killAll(() => this.processes());
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

/** Where everything of one server lies. */
export interface SshdLayout {
  readonly dir: string;
  readonly openssh: OpenSsh;
  readonly hosts: readonly string[];
  readonly users: readonly string[];
  readonly uid: number;
  readonly sshd: Tool;
  readonly sftpServer: string;
  readonly nssWrapper: string;
  readonly authorizedKeysFile: string;
  readonly hostKeyFiles: readonly string[];
  readonly identityFile: string;
  readonly log: LogFile;
}

async function layOut(dir: string, tools: OpenSsh, options: SshdOptions): Promise<SshdLayout> {
  const caller = Deno.uid() ?? 0;
  const uid = caller === 0 ? OTHER_UID : caller;
  const gid = caller === 0 ? OTHER_UID : Deno.gid() ?? uid;
  const users = options.users ?? ["tester"];
  const [server, client] = [join(dir, "server"), join(dir, "client")];
  await Deno.mkdir(client, { mode: 0o700 });
  const identityFile = join(client, "id_ed25519");
  await generateKey(tools, "ed25519", identityFile);

  for (const path of [server, join(dir, "home")]) await Deno.mkdir(path, { mode: 0o755 });
  for (const user of users) await Deno.mkdir(join(dir, "home", user), { mode: 0o755 });
  const types = options.hostKeyTypes ?? ["ed25519"];
  const hostKeyFiles = types.map((type) => join(server, `ssh_host_${type}_key`));
  await Promise.all(types.map((type, i) => generateKey(tools, type, hostKeyFiles[i])));
  const authorizedKeysFile = join(server, "authorized_keys");
  await Deno.copyFile(`${identityFile}.pub`, authorizedKeysFile);

  const needsExposure = uid !== caller;
  const expose = (tool: Tool) => exposeTool(tool, join(dir, "tools"), needsExposure);
  const shell = await loginShellPath(options.loginShell ?? "/bin/sh", server, expose);
  const accounts = { users, uid, gid, shell, homes: join(dir, "home"), password: options.password };
  await Deno.writeTextFile(join(server, "passwd"), await passwdFile(accounts));
  await Deno.writeTextFile(join(server, "group"), await groupFile(accounts));
  const log = new LogFile(join(dir, "sshd.log"));
  await Deno.writeTextFile(log.path, "");

  if (needsExposure) {
    for (const path of [server, ...walk(server), ...walk(join(dir, "home")), log.path]) {
      await Deno.chown(path, uid, gid);
    }
  }
  const sshd = await expose({ path: tools.sshd, env: tools.serverEnv, root: tools.serverRoot });
  const unpackedSftp = tools.serverRoot !== undefined && tools.sftpServer.startsWith(tools.serverRoot);
  const sftpServer = unpackedSftp
    ? sshd.root + tools.sftpServer.slice(tools.serverRoot.length)
    : tools.sftpServer;
  const nssTool = { path: tools.nssWrapper, env: {}, root: dirname(tools.nssWrapper) };
  const nssWrapper = (await expose(nssTool)).path;
  return {
    ...{ dir, openssh: tools, hosts: options.hosts ?? [options.host ?? "127.0.0.1"], users, uid, sshd },
    ...{ sftpServer, nssWrapper, authorizedKeysFile, hostKeyFiles, identityFile, log },
  };
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
    const listener = await spawnListener(layout, configFile);
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

async function spawnListener(layout: SshdLayout, configFile: string): Promise<Deno.ChildProcess> {
  const sshd = [layout.sshd.path, "-D", "-e", "-f", configFile];
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

async function loginShellPath(
  shell: string | LoginShell,
  server: string,
  expose: (tool: Tool) => Promise<Tool>,
): Promise<string> {
  if (typeof shell === "string") return shell;
  const { path, env } = await expose(shell.tool);
  if (!shell.applet && Object.keys(env).length === 0) return path;
  // sshd gives a session none of its own environment, so the libraries must be named in between.
  const script = ["#!/bin/sh"];
  for (const [name, value] of Object.entries(env)) script.push(`${name}='${value}'; export ${name}`);
  script.push(`exec '${path}' ${shell.applet ?? ""} "$@"`);
  const wrapper = join(server, "login-shell");
  await Deno.writeTextFile(wrapper, script.join("\n") + "\n", { mode: 0o755 });
  return wrapper;
}

async function generateKey(tools: OpenSsh, type: HostKeyType, file: string): Promise<void> {
  const command = new Deno.Command(tools.sshKeygen, {
    args: ["-q", "-t", type, "-N", "", "-C", "carpool-test", "-f", file],
    env: { ...tools.env },
    stdin: "null",
  });
  const { success, stderr } = await command.output();
  if (!success) throw startFailed(new TextDecoder().decode(stderr));
}

function freePort(hostname: string): number {
  using listener = Deno.listen({ hostname, port: 0 });
  return listener.addr.port;
}

function* walk(dir: string): Generator<string> {
  for (const entry of Deno.readDirSync(dir)) yield join(dir, entry.name);
}

/** Kills until none is left: a process may start another while it is being ended. */
async function killAll(list: () => number[]): Promise<void> {
  for (let pids = list(); pids.length > 0; pids = list()) {
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await gone(pids);
  }
}

function startFailed(why: string): CarpoolError {
  return new CarpoolError("no-sshd", {
    what: "Cannot start sshd for a test",
    where: "127.0.0.0/8",
    why: why.trim(),
    fix: "read its log above; removing the project's .cache folder fetches it anew",
  });
}
