import type { Session } from "../channel/session.ts";
import { CopyShell } from "./copy_shell.ts";
import type { Load, SessionSource } from "./session_source.ts";
import { SftpClient } from "./sftp_client.ts";
import { RIDDEN_BYTES, type SshRide } from "./ssh_ride.ts";
import { openSftp } from "./sftp_session.ts";

/** What a channel must have left to do to be worth its round trips. */
export const WORTH_BYTES = 8 * 1024 * 1024;

/** How long a copy waits for a session beside the one that it has. */
const BESIDE_MS = 5_000;

/** Sources whose accounts run no shell that we can use: not asked again. */
const withoutShell = new WeakSet<SessionSource>();

/**
 * The other side of one copy: its sessions, opened when they are needed, and ended with it. Made from a source of
 * sessions, or from an SFTP client that somebody else owns: then there is nothing but that.
 */
export class CopyPeer implements AsyncDisposable {
  readonly where: string;
  #source: SessionSource | undefined;
  #lane: Disposable | undefined;
  readonly #given: SftpClient | undefined;
  #clients: Promise<SftpClient>[] = [];
  readonly #left: Promise<SftpClient>[] = [];
  readonly #shells = new Set<CopyShell>();

  #further: ReturnType<NonNullable<SessionSource["further"]>>;

  constructor(source: SessionSource | SftpClient) {
    this.where = source.where;
    if (source instanceof SftpClient) this.#given = source;
    else this.#source = source;
  }

  /** SFTP clients that it may have at once. */
  get parallel(): number {
    return this.#source === undefined ? 1 : Math.max(1, this.#source.parallel - this.#shells.size);
  }

  /** Whether a script may be tried. */
  get hasShell(): boolean {
    return this.#source !== undefined && !withoutShell.has(this.#source);
  }

  /**
   * Runs a script of ours; see {@linkcode CopyShell}. Undefined where the account has only SFTP, or no usable shell, or
   * where all sessions are taken while this copy has one.
   */
  async shell(
    script: string,
    words: readonly string[],
    signal: AbortSignal,
    asked?: () => void,
  ): Promise<CopyShell | undefined> {
    if (!this.hasShell) return undefined;
    const session = await this.#openBeside(signal);
    if (session === undefined) return undefined;
    const shell = await CopyShell.start(session, script, words, signal, asked);
    if ("sftp" in shell) {
      withoutShell.add(this.#source!);
      if (shell.sftp) this.#clients.push(Promise.resolve(shell.sftp));
      return undefined;
    }
    this.#shells.add(shell);
    shell.ended.then(() => this.#shells.delete(shell));
    return shell;
  }

  /**
   * A session. Whoever holds one already does not wait long for another: of several copies that do so, none might ever
   * get it.
   */
  async #openBeside(signal: AbortSignal): Promise<Session | undefined> {
    if (this.#shells.size === 0 && this.#clients.length === 0) return await this.#source!.open(signal);
    const deadline = AbortSignal.timeout(BESIDE_MS);
    try {
      return await this.#source!.open(AbortSignal.any([signal, deadline]));
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) return undefined;
      throw error;
    }
  }

  /**
   * How the installed `ssh` can move a file of so many bytes. Only where the account has just shown that it runs a
   * script of ours: what another program would take our bytes for, nobody knows. And only one whose shell says nothing
   * of its own, which a pull could not tell from the file.
   */
  async ride(bytes: number, signal: AbortSignal): Promise<SshRide | undefined> {
    if (bytes < RIDDEN_BYTES || !this.hasShell || Deno.build.os === "windows") return undefined;
    const ride = await this.#source!.ride?.();
    if (ride === undefined) return undefined;
    const shell = await this.shell("exit 0", [], signal);
    return shell !== undefined && await shell.succeeded() && shell.quiet ? ride : undefined;
  }

  /** The first SFTP client; opened when it is first asked for. */
  sftp(signal?: AbortSignal): Promise<SftpClient> {
    return this.#given ? Promise.resolve(this.#given) : this.client(0, signal);
  }

  /**
   * One file of so many bytes is going to be sent. On a long way no login is waited for: the data begins on the connection
   * that is there, over several clients that are opened while whatever comes before it is asked.
   */
  async prepareToSend(bytes: number, signal: AbortSignal): Promise<void> {
    const load = { bytes, single: true };
    this.#further = this.#source?.further?.(load);
    if (this.#further === undefined) return await this.prepare(load);
    const count = Math.min(this.parallel, Math.floor(bytes / WORTH_BYTES));
    // The first one first: it is waited for, and may get a session that is open already.
    for (let index = 0; index < count; index++) this.client(index, signal).catch(() => {});
  }

  /** Sessions of another connection, should they come; undefined: none are on their way. */
  get further(): Promise<SessionSource | undefined> | undefined {
    return this.#further;
  }

  /** Whether a client has been asked for. */
  isWarm(index: number): boolean {
    return this.#clients[index] !== undefined;
  }

  /** A client of the other connection; ended with this peer. */
  furtherClient(source: SessionSource, signal: AbortSignal): Promise<SftpClient> {
    const opening = source.open(signal).then((session) => openSftp(session, signal));
    opening.catch(() => {}); // the caller's to see
    this.#left.push(opening);
    return opening;
  }

  /** One of several clients, `index` from 0 to `parallel` − 1. */
  client(index: number, signal?: AbortSignal): Promise<SftpClient> {
    if (this.#given) return Promise.resolve(this.#given);
    const opening = this.#clients[index] ??= (async () => {
      return await openSftp(await this.#source!.open(signal), signal);
    })();
    opening.catch(() => {
      // The caller's to see; the next one may have better luck.
      if (this.#clients[index] === opening) delete this.#clients[index];
    });
    return opening;
  }

  /**
   * So many bytes are to move: resolves with the client to move them with, which may be one on a lane of its own, as all
   * are that are opened from now on.
   */
  async forData(load: Load, signal?: AbortSignal): Promise<SftpClient> {
    await this.prepare(load);
    return await this.sftp(signal);
  }

  /** So many bytes are to move, by whatever is opened from now on. */
  async prepare(load: Load): Promise<void> {
    const lane = this.#lane === undefined ? await this.#source?.lane?.(load) : undefined;
    if (lane !== undefined) {
      this.#source = this.#lane = lane;
      this.#left.push(...this.#clients.filter((client) => client !== undefined));
      this.#clients = [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _lane = this.#lane;
    this.#further?.then((lane) => lane?.[Symbol.dispose](), () => {}); // a login under way is not waited for
    for (const shell of this.#shells) shell.close();
    const opened = [...this.#left, ...this.#clients.filter((client) => client !== undefined)];
    const clients = await Promise.allSettled(opened);
    const ended = Promise.all(
      clients.map((end) => end.status === "fulfilled" ? end.value[Symbol.asyncDispose]() : undefined),
    );
    // On a long way the server's answers to that are not waited for.
    if (this.#further === undefined) await ended;
    else ended.catch(() => {});
  }
}
