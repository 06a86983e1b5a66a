import { type CarpoolError, ChannelError, CommandError, LinkError, type Outcome } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import type { ConnectionKind } from "../base/run_event.ts";
import { shellJoin, shellQuote } from "../base/shell_quote.ts";
import type { Connection } from "../channel/connection.ts";
import type { Forward } from "../channel/forward/forward.ts";
import type { ForwardRequest } from "../channel/forward/forward_spec.ts";
import type { CloseInfo } from "../channel/link.ts";
import type { Session } from "../channel/session.ts";
import { SessionGate, type SessionGateOptions } from "../channel/session_gate.ts";
import { forwardedAgentOf } from "../target/forwarded_agent.ts";
import type { Target } from "../target/target.ts";
import { commandLine } from "./command_line.ts";
import type { CopyOptions, CopyResult } from "./copy_options.ts";
import type { ExecOptions, ExecResult } from "./exec_options.ts";
import { Lanes, type LanesOptions } from "./lanes.ts";
import { OutputCollector } from "./output_collector.ts";
import { RemoteProcess, type RemoteStatus } from "./remote_process.ts";
import type { Load, SessionSource } from "./session_source.ts";
import type { SshRide } from "./ssh_ride.ts";

/** What a spawned command may be given; its standard input is the process's `stdin`. */
export type SpawnOptions = Omit<ExecOptions, "stdin">;

/** From here on a login takes so long that a copy had better not wait for it, in milliseconds. */
const FAR_RTT_MS = 100;

/** How a host came by its connection. */
export interface HostOptions {
  /** Sessions at a time; a refusal by the server lowers it. Default 10, sshd's own. */
  readonly maxSessions?: number;
  /** How the connection came about; default: `new`. */
  readonly connection?: ConnectionKind;
  /** Sessions kept open ahead of need; default 0. A master does that for its passengers itself. */
  readonly spares?: number;
  /** Whether sessions may be a master's spares, which the server may just have closed; default `false`. */
  readonly handsSpares?: boolean;
  /** Boards a master anew; without it a connection that ends is the end. */
  readonly reconnect?: () => Promise<Connection>;
  /** How the installed `ssh` can ride the master that is ridden here, where that is OpenSSH's. */
  readonly findRide?: () => Promise<SshRide | undefined>;
  /** How further connections to the host are opened; without it there are none. */
  readonly lanes?: LanesOptions;
}

/** What a host has open; see {@linkcode Host.load}. */
export interface HostLoad {
  /** Sessions that run something. */
  readonly sessions: number;
  /** Commands and copies that wait for a session. */
  readonly waiting: number;
  /** Channels of every kind on the first connection. */
  readonly channels: number;
  /** Further connections to the host, open because that paid. */
  readonly lanes: number;
}

/** Values that `` host.$`…` `` can hold: each is quoted, a list word by word. */
export type ShellValue = string | number | boolean | readonly (string | number)[];

/**
 * What you do with a host: run commands, copy files. Everything goes over the one connection it was made with, as
 * many things at a time as the server's session limit lets; the rest waits its turn.
 */
export class Host implements AsyncDisposable {
  /** What the destination came to, after ssh_config. */
  readonly target: Target;
  /** Resolves when the connection has ended for good, with how; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** How the connection came about: made for this host, or a master's that was alive. */
  readonly connection: ConnectionKind;
  /** @ignore Steps of a job may travel together to it; see lib/job/fusion. */
  readonly fuses = true;
  readonly #resolveClosed: (info: CloseInfo) => void;
  readonly #maxSessions: number | undefined;
  readonly #gateOptions: SessionGateOptions;
  readonly #reconnect: (() => Promise<Connection>) | undefined;
  readonly #findRide: HostOptions["findRide"];
  readonly #lanes: Lanes | undefined;
  #connection!: Connection;
  #gate!: SessionGate;
  #reconnecting: Promise<void> | undefined;
  #closing = false;

  /** @ignore Use {@linkcode connect}. */
  constructor(connection: Connection, target: Target, options: HostOptions = {}) {
    this.target = target;
    this.connection = options.connection ?? "new";
    this.#maxSessions = options.maxSessions;
    this.#gateOptions = { spares: options.spares, handsSpares: options.handsSpares };
    this.#reconnect = options.reconnect;
    this.#findRide = options.connection === "openssh-master" ? options.findRide : undefined;
    this.#lanes = options.lanes && new Lanes(options.lanes);
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#use(connection);
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    this.#gate = new SessionGate(connection, this.#maxSessions, this.#gateOptions);
    this.#lanes?.relieve(this.#gate);
    connection.closed.then((info) => {
      if (this.#reconnect === undefined || this.#closing) this.#resolveClosed(info);
    });
  }

  /**
   * Opens a session. A master may have left since the last one (its linger time was over, its host has slept): what
   * was not started moves to a new one, once.
   */
  async #session(signal: AbortSignal | undefined): Promise<Session> {
    const gate = this.#gate;
    try {
      return await gate.acquire(signal);
    } catch (error) {
      const moved = error instanceof LinkError && error.outcome === "not-started";
      if (!moved || this.#reconnect === undefined || this.#closing) throw error;
      if (gate === this.#gate) await this.#connectAnew();
      return await this.#gate.acquire(signal);
    }
  }

  #connectAnew(): Promise<void> {
    return this.#reconnecting ??= (async () => {
      try {
        this.#use(await this.#reconnect!());
      } finally {
        this.#reconnecting = undefined;
      }
    })();
  }

  /** Sessions for copies. One object for the host's life: what is learned of its account is kept by it. */
  readonly #bulk: SessionSource = ((host: Host) => ({
    open: (signal?: AbortSignal) => host.#session(signal),
    lane: async (load: Load) => {
      const { laneSource, ridesThere } = await import("./lane_source.ts");
      if (ridesThere(load, host.#gate, host.rttMs) && await host.#ride()) return undefined;
      return await laneSource(host.#lanes, host.#gate, load.bytes, host.where);
    },
    ride: async () => {
      const { nearRide } = await import("./lane_source.ts");
      return await nearRide(host.rttMs, () => host.#ride());
    },
    // Half of what the server allows: commands beside a copy find sessions, too.
    get parallel() {
      return Math.max(1, Math.floor(host.#gate.limit / 2));
    },
    further: (load: Load) => {
      const { rttMs = 0 } = host;
      if (host.#lanes === undefined || !load.single || rttMs < FAR_RTT_MS) return undefined;
      return import("./lane_source.ts").then(({ furtherSource }) =>
        furtherSource(host.#lanes, host.#gate, load, host.where)
      );
    },
    get where() {
      return host.where;
    },
  }))(this);

  async #ride(): Promise<SshRide | undefined> {
    const { rideOn } = await import("./ssh_ride.ts");
    return rideOn(this.#connection) ?? await this.#findRide?.();
  }

  /** `user@host:port`. */
  get where(): string {
    return this.target.where;
  }

  /**
   * Runs a command through the remote login shell and waits for it. Resolves whatever its exit status was; rejects
   * only when it could not be run (`error.outcome` is `not-started`) or its end is not known (`unknown`). This form gives
   * standard output and standard error as bytes.
   */
  exec(
    command: string,
    options: ExecOptions & { readonly encoding: "bytes" },
  ): Promise<ExecResult<Uint8Array>>;
  /**
   * Runs a command through the remote login shell and waits for it, its output as text (UTF-8). Resolves whatever its
   * exit status was; rejects only when it could not be run or its end is not known.
   */
  exec(command: string, options?: ExecOptions & { readonly encoding?: "utf8" }): Promise<ExecResult>;
  async exec(
    command: string,
    options: ExecOptions & { readonly encoding?: "utf8" | "bytes" } = {},
  ): Promise<ExecResult<string | Uint8Array>> {
    const stdout = new OutputCollector();
    const stderr = new OutputCollector();
    const startedAt = performance.now();
    const process = await this.#start(command, options, (data, stream) => {
      (stream === "stdout" ? stdout : stderr).push(data);
    });
    const input = feed(process, options.stdin);
    const status = await process.status;
    options.signal?.throwIfAborted();
    if (status.error) throw status.error;
    const inputError = await input;
    if (inputError) throw inputError;
    const text = options.encoding !== "bytes";
    return {
      ...pick(status),
      stdout: text ? stdout.text() : stdout.bytes(),
      stderr: text ? stderr.text() : stderr.bytes(),
      durationMs: performance.now() - startedAt,
      command,
      host: this.where,
    };
  }

  /** Starts a command and hands over its streams. Rejects only when no session could be opened. */
  spawn(command: string, options: SpawnOptions = {}): Promise<RemoteProcess> {
    return this.#start(command, options);
  }

  async #start(
    command: string,
    options: SpawnOptions,
    sink?: ConstructorParameters<typeof RemoteProcess>[3],
  ): Promise<RemoteProcess> {
    const { pty, timeoutMs, signal } = options;
    const line = commandLine(command, options);
    const session = await this.#session(signal);
    const agent = forwardedAgentOf(this.target) !== undefined;
    return new RemoteProcess(session, line, { env: this.target.env, agent, pty, timeoutMs, signal }, sink);
  }

  /**
   * Runs a command with its values quoted for the shell; throws `CommandError` unless its status is 0. An arrow
   * function, so that it can be taken apart: `const { $ } = host`.
   */
  readonly $ = async (strings: TemplateStringsArray, ...values: ShellValue[]): Promise<ExecResult> => {
    const command = String.raw({ raw: strings.raw }, ...values.map(quoteValue));
    const result = await this.exec(command);
    if (!result.success) throw new CommandError(result);
    return result;
  };

  /**
   * Copies a local file or tree to the host. A `local` that ends in `/` is its contents, otherwise it is itself; into
   * `remote` where that is a directory or ends in `/`, otherwise as `remote`. Modes and times are kept. Every file is
   * written under a temporary name and renamed, so that a break never leaves half a file under the real one. What cannot
   * be copied is left out and named in the `CopyError` at the end.
   */
  async copy(local: string, remote: string, options: CopyOptions = {}): Promise<CopyResult> {
    const { copyToHost } = await import("./copy.ts");
    return await copyToHost(this.#bulk, local, remote, options);
  }

  /**
   * Copies a remote file or tree here; what goes where is as for {@linkcode Host.copy}, with the sides exchanged. Nothing
   * is ever written outside `local`, whatever names the server sends. Throws `CopyError`.
   */
  async fetch(remote: string, local: string, options: CopyOptions = {}): Promise<CopyResult> {
    const { fetchFromHost } = await import("./fetch.ts");
    return await fetchFromHost(this.#bulk, remote, local, options);
  }

  /**
   * Forwards a port or a Unix socket until the handle is disposed: `{ local, to }` listens here, `{ remote, to }` on the
   * host, `{ dynamic }` here as a SOCKS proxy. Throws `UsageError`, or `ForwardError` when it cannot listen.
   *
   * ```ts ignore
   * await using fwd = await web.forward({ local: 8080, to: "db:5432" });
   * ```
   */
  async forward(request: ForwardRequest, options: { readonly signal?: AbortSignal } = {}): Promise<Forward> {
    const [{ forwardSpec }, { openForward }] = await Promise.all([
      import("../channel/forward/forward_spec.ts"),
      explainMissingPackage(() => import("../channel/forward/forward.ts")),
    ]);
    return await openForward(this.#connection, forwardSpec(request), options);
  }

  /** @ignore A session of this host's connection, for the rest of Carpool; waits its turn like any other. */
  openSession(signal?: AbortSignal): Promise<Session> {
    return this.#session(signal);
  }

  /**
   * The shortest round trip seen lately on any answer of the server, in milliseconds: the way, and the server's own part
   * in it. Undefined before the first command, unless whoever made the connection has seen one.
   */
  get rttMs(): number | undefined {
    const seen = [this.#connection.roundTrip.minMs, this.#connection.link.rttMs].filter((ms) =>
      ms !== undefined
    );
    return seen.length === 0 ? undefined : Math.min(...seen);
  }

  /** What is open and waiting now. `lanes` counts the connections beside the first; their sessions are in `sessions`. */
  get load(): HostLoad {
    return {
      sessions: this.#gate.openCount + (this.#lanes?.sessionCount ?? 0),
      waiting: this.#gate.waitingCount,
      channels: this.#connection.channelCount - this.#gate.spareCount,
      lanes: this.#lanes?.count ?? 0,
    };
  }

  /** Ends the connection if it is this process's own; leaves the master otherwise. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([this.#connection.close(), this.#lanes?.close()]);
  }

  /** Closes, as {@linkcode Host.close} does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function quoteValue(value: ShellValue): string {
  return Array.isArray(value) ? shellJoin(value.map(String)) : shellQuote(String(value));
}

function pick(status: RemoteStatus) {
  const { code, signal, success, outcome, timedOut } = status;
  return { code, signal, success, outcome: outcome as Outcome, timedOut };
}

/**
 * Writes the standard input and ends it. A command may end, or close its input, without reading everything: that is
 * no failure. A source that fails is, and is returned.
 */
async function feed(process: RemoteProcess, stdin: ExecOptions["stdin"]): Promise<unknown> {
  try {
    if (stdin instanceof ReadableStream) {
      await stdin.pipeTo(process.stdin);
    } else {
      if (stdin !== undefined) {
        await process.write(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
      }
      process.endInput();
    }
    return undefined;
  } catch (error) {
    return error instanceof ChannelError && error.code === "closed" ? undefined : error as CarpoolError;
  }
}
