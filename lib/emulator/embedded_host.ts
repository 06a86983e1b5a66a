// deno-lint-ignore-file no-explicit-any
// The boundary to ssh2's server side: its objects are untyped here.
import net from "node:net";
import { Buffer } from "node:buffer";
import { join } from "../deps/node_path.ts";
import { LinkError } from "../base/errors.ts";
import { LocalCommand } from "./local_command.ts";
import { keepEarlyWindow, type ServerSession, serveSession } from "./server_session.ts";
import { SftpServer } from "./sftp_server.ts";
import { throwawayKey } from "./throwaway_key.ts";

export interface EmbeddedHostOptions {
  /** An address in 127.0.0.0/8; default 127.0.0.1. */
  readonly hostname?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** The one account; default `demo`. */
  readonly user?: string;
  /** Private key that opens it, in OpenSSH's format, so that several hosts can share one; default: a new one. */
  readonly clientKey?: string;
  /** Sessions that one connection may have open, as sshd's MaxSessions; default: no limit. */
  readonly maxSessions?: number;
  /** Where its home directory is made; default: the system's temporary directory. */
  readonly directory?: string;
}

/** What a host has seen since it was started. */
export interface HostCounters {
  /** TCP connections. */
  readonly connections: number;
  /** Those that are open now. */
  readonly openConnections: number;
  /** Successful ones. */
  readonly authentications: number;
  /** Session channels that were opened. */
  readonly sessions: number;
  /** Session channels that were refused for `maxSessions`. */
  readonly refusedSessions: number;
  /** Commands that were run. */
  readonly commands: number;
}

/**
 * Starts an SSH host inside this process: ssh2's server on loopback, with throwaway keys, one account and a temporary
 * home. Commands run on this machine by `sh -c`, as the caller, with a clean environment; SFTP reaches nothing outside
 * the home. No terminals, no forwarding. It refuses every peer that is not in 127.0.0.0/8.
 *
 * Its sessions begin with a window of 2 MiB where OpenSSH's begin with 0, so standard input may cost a round trip less
 * than with a real host.
 *
 * @throws {LinkError} when it cannot listen
 * @throws {Deno.errors.NotCapable} when this program may not run `sh`
 */
export async function startEmbeddedHost(options: EmbeddedHostOptions = {}): Promise<EmbeddedHost> {
  const hostname = options.hostname ?? "127.0.0.1";
  if (!isLoopback(hostname)) {
    throw new LinkError("refused", {
      what: "Cannot start an embedded host",
      where: hostname,
      why: "it would not be on loopback",
      fix: "give an address in 127.0.0.0/8",
    });
  }
  if ((await Deno.permissions.query({ name: "run", command: "sh" })).state !== "granted") {
    throw new LinkError("refused", {
      what: "Cannot start an embedded host",
      why: "its commands run in the shell, and this program may not start one",
      fix: "run it with --allow-run=sh",
    });
  }
  const { ssh2 } = await import("../deps/ssh2.ts");
  const home = await Deno.realPath(
    await Deno.makeTempDir({ prefix: "carpool-host-", dir: options.directory }),
  );
  try {
    const host = new EmbeddedHost(ssh2, home, options);
    await host.listen(hostname, options.port ?? 0);
    return host;
  } catch (error) {
    await Deno.remove(home, { recursive: true });
    throw error;
  }
}

/** A running embedded host; dispose it. */
export class EmbeddedHost implements AsyncDisposable {
  readonly user: string;
  /** Absolute path of the account's home, empty at first. */
  readonly home: string;
  /** The private key that opens the account, in OpenSSH's format. */
  readonly clientKey: string;
  /** The host's public key as in known_hosts: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  readonly #maxSessions: number;
  readonly #sshServer: any;
  readonly #clientPublicKey: any;
  readonly #listener: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #commands = new Set<LocalCommand>();
  readonly #counters = { connections: 0, authentications: 0, sessions: 0, refusedSessions: 0, commands: 0 };

  /** @internal Use {@linkcode startEmbeddedHost}. */
  constructor(ssh2: any, home: string, options: EmbeddedHostOptions) {
    const hostKeys = throwawayKey(ssh2);
    this.user = options.user ?? "demo";
    this.home = home;
    this.hostKey = hostKeys.publicKey;
    this.clientKey = options.clientKey ?? throwawayKey(ssh2).privateKey;
    this.#clientPublicKey = ssh2.utils.parseKey(this.clientKey);
    this.#maxSessions = options.maxSessions ?? Infinity;
    // ssh2 would ask each client for a sign of life every 15 s, which nobody needs on loopback and which would be
    // counted as traffic; its timer takes no more than 2^31-1 ms, and 0 means its default.
    this.#sshServer = new ssh2.Server(
      { hostKeys: [hostKeys.privateKey], keepaliveInterval: 2 ** 31 - 1 },
      (client: any) => this.#serve(client),
    );
    // The socket is ours: ssh2 never sets TCP_NODELAY, and each command would stall 40–90 ms.
    this.#listener = net.createServer({ noDelay: true }, (socket) => this.#take(socket));
  }

  get hostname(): string {
    return (this.#listener.address() as net.AddressInfo).address;
  }

  get port(): number {
    return (this.#listener.address() as net.AddressInfo).port;
  }

  counters(): HostCounters {
    return { ...this.#counters, openConnections: this.#sockets.size };
  }

  /** @internal */
  listen(hostname: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#listener.once("error", (cause: Error) => {
        const where = `${hostname}:${port}`;
        reject(
          new LinkError("refused", {
            what: "Cannot start an embedded host",
            where,
            why: cause.message,
            cause,
          }),
        );
      });
      this.#listener.listen({ host: hostname, port }, resolve);
    });
  }

  /**
   * Writes what a stock client needs into `directory`: the private key (0600) and a known_hosts line for the address
   * that clients use, which may be an emulated link's. Returns their paths.
   */
  async writeClientFiles(
    directory: string,
    address: { readonly hostname: string; readonly port: number } = this,
  ): Promise<{ identityFile: string; knownHostsFile: string }> {
    const identityFile = join(directory, `${this.user}_key`);
    const knownHostsFile = join(directory, "known_hosts");
    await Deno.writeTextFile(identityFile, this.clientKey, { mode: 0o600 });
    await Deno.writeTextFile(knownHostsFile, `[${address.hostname}]:${address.port} ${this.hostKey}\n`, {
      append: true,
      mode: 0o600,
    });
    return { identityFile, knownHostsFile };
  }

  /** Ends every connection and command and removes the home; idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#listener.listening
      ? new Promise<void>((resolve) => this.#listener.close(() => resolve()))
      : undefined;
    for (const socket of this.#sockets) socket.destroy();
    const commands = [...this.#commands];
    for (const command of commands) command.signal("KILL");
    await Promise.all(commands.map((command) => command.done));
    await stopped;
    await Deno.remove(this.home, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  #take(socket: net.Socket): void {
    if (!isLoopback(socket.remoteAddress ?? "")) return void socket.destroy();
    this.#counters.connections++;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#sshServer.injectSocket(socket);
  }

  #serve(client: any): void {
    keepEarlyWindow(client);
    let openSessions = 0;
    client.on("error", () => {}); // a client that breaks off is its own affair
    client.on("authentication", (attempt: any) => {
      if (this.#accepts(attempt)) attempt.accept();
      else attempt.reject(["publickey"]);
    });
    client.on("ready", () => this.#counters.authentications++);
    client.on("session", (accept: () => any, reject: () => void) => {
      if (openSessions >= this.#maxSessions) {
        this.#counters.refusedSessions++;
        return reject();
      }
      openSessions++;
      this.#counters.sessions++;
      const session = accept();
      session.once("close", () => openSessions--);
      serveSession(session, {
        exec: (command, output) => this.#run(command, output),
        sftp: (output) => void new SftpServer(output, this.home),
      });
    });
  }

  /** First a question whether this key would do, without a signature; then the signature (RFC 4252 §7). */
  #accepts(attempt: any): boolean {
    const key = this.#clientPublicKey;
    return attempt.method === "publickey" && attempt.username === this.user &&
      attempt.key.algo === key.type && Buffer.compare(attempt.key.data, key.getPublicSSH()) === 0 &&
      (!attempt.signature || key.verify(attempt.blob, attempt.signature, attempt.hashAlgo) === true);
  }

  #run(text: string, output: ServerSession): void {
    this.#counters.commands++;
    const path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    try {
      const command = new LocalCommand(text, output, { home: this.home, user: this.user, path });
      this.#commands.add(command);
      command.done.finally(() => this.#commands.delete(command));
    } catch (error) {
      const why = `carpool: cannot run sh: ${error instanceof Error ? error.message : error}\n`;
      output.write(new TextEncoder().encode(why), "stderr").then(() => output.exit(127));
    }
  }
}

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}
