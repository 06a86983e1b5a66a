import { serveAgent } from "../channel/agent.ts";
import { Connection } from "../channel/connection.ts";
import { type Forward, openForward } from "../channel/forward/forward.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import { MasterError } from "../base/errors.ts";
import { memoryLinkPair } from "../link/memory_link.ts";
import type { MuxForward } from "../wire/mux.ts";
import { type ControlledMaster, serveControlClient } from "./control_session.ts";
import { acceptAll } from "./accept_all.ts";
import type { Identity } from "./identity.ts";
import { LinkWatch, type WatchOptions } from "./link_watch.ts";
import { Linger } from "./linger.ts";
import type { Log } from "./log.ts";
import { describeForward, forwardKey, toForwardSpec } from "./mux_forward.ts";
import type { Passenger } from "./passenger.ts";
import { Relay } from "./relay.ts";
import { RiddenWatch } from "./openssh_watch.ts";
import { bindSocket } from "./socket_birth.ts";

/** A master without ControlPersist=yes leaves after this long at the latest when nobody has ever boarded it. */
const BOARDING_MS = 10_000;

/** Sessions open ahead of need, at most: as many as passengers have turned out to want at once. */
const MOST_SPARES = 4;
const MOST_SPARES_RIDDEN = 1;

export interface MasterOptions {
  /** The identity it is found by. */
  readonly key: string;
  /** What it was asked for with. */
  readonly identity: Identity;
  /** Where its control socket is to lie. */
  readonly controlPath: string;
  /** The OpenSSH master's own control path, where one is ridden. */
  readonly ridden?: string;
  /** Ends the OpenSSH master that is ridden, where Carpool has started it. */
  readonly endRidden?: () => Promise<void>;
  /** The agent that sessions may ask for; the server's channels to it are answered here. */
  readonly agentSocket?: string;
  readonly destination: { readonly host: string; readonly user: string; readonly port: number };
  /** Milliseconds after the last session; `Infinity`: for ever; 0: with the last passenger. */
  readonly lingerMs: number;
  readonly maxSessions: number;
  readonly aliveIntervalMs: number;
  readonly aliveCountMax: number;
  /** For tests: see `LinkWatch`. */
  readonly clocks?: WatchOptions["clocks"];
  readonly probeDeadlineMs?: number;
  readonly kind: "carpool" | "openssh";
  /** Whose process holds the connection: ours, or the OpenSSH master that is ridden. */
  readonly pid: number;
  readonly log: Log;
}

/** What is told about a master, to `carpool masters` and to `-O conninfo`. */
export interface MasterInfo {
  /** The name or address that was dialled, after ssh_config. */
  readonly host: string;
  /** Who is logged in there. */
  readonly user: string;
  /** The port that was dialled, after ssh_config. */
  readonly port: number;
  /** Its control socket, for `ssh -S`. */
  readonly controlPath: string;
  /** The process that holds the connection: the keeper, or the OpenSSH master that is ridden. */
  readonly pid: number;
  /** `openssh`: a master that `ssh` started, and Carpool rides. */
  readonly kind: "carpool" | "openssh";
  /** Sessions open on it now, of all its passengers. */
  readonly sessions: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601; null while something holds it, or when it lingers for ever. */
  readonly lingersUntil: string | null;
  /** The last round trip to the server that was measured, in milliseconds; null: none yet. */
  readonly rttMs: number | null;
}

/** A shared link: its relay, its control socket, its forwards and its linger time. */
export class Master implements ControlledMaster {
  readonly options: MasterOptions;
  readonly #link: Link;
  readonly #relay: Relay;
  readonly #watch: LinkWatch;
  readonly #linger: Linger;
  readonly #forwards = new Map<string, Forward>();
  readonly #startedAt = new Date();
  #listener: Deno.Listener | undefined;
  #socketInode: number | null = null;
  readonly #riddenWatch: RiddenWatch | undefined;
  #own: Connection | undefined;
  #ownPassenger: Passenger | undefined;
  #rttMs: number | null = null;
  #everBoarded = false;
  #stopping = false;
  #ended = false;

  constructor(link: Link, options: MasterOptions) {
    this.options = options;
    this.#link = link;
    this.#linger = new Linger(
      options.lingerMs === 0 ? BOARDING_MS : options.lingerMs,
      () => this.#leave("lingered"),
    );
    this.#relay = new Relay(link, {
      maxSessions: options.maxSessions,
      onChange: () => this.#changed(),
      onLeave: ({ how, why, error }) => {
        if (how === "failed") options.log.error(`${link.where}: a passenger was sent away: ${why}`, error);
      },
      beforeOpen: () => this.#beforeOpen(),
      isQuiet: () => this.#watch.isQuiet,
      forgives: options.kind === "carpool",
      spares: options.kind === "carpool" ? MOST_SPARES : MOST_SPARES_RIDDEN,
    });
    this.#watch = new LinkWatch(this.#relay, options);
    if (options.ridden) this.#riddenWatch = new RiddenWatch(this.#relay, options.ridden);
    if (options.agentSocket) {
      serveAgent(this.connection(), options.agentSocket);
      this.#relay.serveAgentBy(this.#ownPassenger!);
    }
    link.closed.then((info) => this.#gone(info));
    // One of somebody else's is left alone until somebody rides it.
    if (options.kind === "carpool") this.#relay.openSpares();
    this.#linger.update(false);
  }

  get where(): string {
    return this.#link.where;
  }

  get pid(): number {
    return Deno.pid;
  }

  get rttMs(): number | undefined {
    return this.#relay.rttMs;
  }

  /** Whether new passengers are taken. */
  get open(): boolean {
    return !this.#stopping && !this.#ended;
  }

  /** Resolves when the connection has ended. */
  get closed(): Promise<CloseInfo> {
    return this.#link.closed;
  }

  describe(): MasterInfo {
    const { destination, controlPath, ridden, kind, pid } = this.options;
    const until = this.#linger.until;
    return {
      ...destination,
      controlPath: ridden ?? controlPath,
      pid,
      kind,
      sessions: this.#relay.sessionCount,
      startedAt: this.#startedAt.toISOString(),
      lingersUntil: until === undefined ? null : new Date(until).toISOString(),
      rttMs: this.#rttMs,
    };
  }

  /** Binds the control socket and starts to serve it. Throws `MasterError` when something is there already. */
  listen(): void {
    const { controlPath } = this.options;
    const listener = bindSocket(controlPath);
    if (listener === undefined) {
      throw new MasterError("refused", {
        what: "Cannot make a control socket",
        where: controlPath,
        why: "there is one already",
        outcome: "not-started",
      });
    }
    this.#listener = listener;
    this.#socketInode = Deno.lstatSync(controlPath).ino;
    acceptAll(listener, (conn) => serveControlClient(conn, this), this.options.log);
  }

  #beforeOpen(): void {
    if (this.options.kind === "carpool") this.#watch.beforeOpen();
    this.#riddenWatch?.beforeOpen();
  }

  board(link: Link): void {
    this.#everBoarded = true;
    this.#relay.add(link);
  }

  /** Asks the server for a sign of life, end to end; ends the link when there is none. Masters of others are not asked. */
  async probe(deadlineMs: number): Promise<number | null> {
    if (this.options.kind === "openssh") return null;
    return this.#rttMs = await this.#watch.probe(deadlineMs);
  }

  #changed(): void {
    if (this.#ended) return;
    const busy = this.#relay.channelCount > 0 || this.#relay.forwardCount > 0 || this.#forwards.size > 0;
    const passengers = this.#relay.passengerCount - (this.#own ? 1 : 0);
    if (!busy && passengers === 0 && this.#everBoarded && this.options.lingerMs === 0) {
      return this.#leave("last passenger left");
    }
    if (!busy && this.#stopping) return this.#leave("stopped");
    this.#linger.update(busy || (this.options.lingerMs === 0 && passengers > 0));
  }

  // Forwards: the keeper is a passenger of its own relay.

  /** For the keeper's own channels: forwards, and connections to what lies behind this host. */
  connection(): Connection {
    if (this.#own === undefined) {
      const [ours, theirs] = memoryLinkPair(this.where);
      this.#own = new Connection(ours);
      this.#ownPassenger = this.#relay.add(theirs);
    }
    return this.#own;
  }

  async openForward(forward: MuxForward): Promise<number | undefined> {
    const key = forwardKey(forward);
    const existing = this.#forwards.get(key);
    const opened = existing ?? await openForward(this.connection(), toForwardSpec(forward));
    if (existing === undefined) {
      this.#forwards.set(key, opened);
      opened.closed.then(() => {
        this.#forwards.delete(key);
        this.#changed();
      });
      this.options.log.info(`${this.where}: forward ${describeForward(forward)}`);
      this.#changed();
    }
    return "port" in forward.listen && forward.listen.port === 0 ? opened.listenPort : undefined;
  }

  async closeForward(forward: MuxForward): Promise<void> {
    const opened = this.#forwards.get(forwardKey(forward));
    if (opened === undefined) {
      throw new MasterError("refused", {
        what: "Cannot close a forward",
        where: this.where,
        why: `no such forward: ${describeForward(forward)}`,
      });
    }
    await opened.close();
  }

  // Leaving

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#relay.endSpares();
    await this.#stopListening();
    this.options.log.info(`${this.where}: takes no new passengers`);
    // Idle passengers would hold an answer for ever; a session in progress finishes.
    queueMicrotask(() => this.#changed());
  }

  exit(): void {
    this.#leave("told to exit");
  }

  #leave(why: string): void {
    if (this.#ended) return;
    const info = { how: "closed", why: `the master has left (${why})` } as const;
    // On OpenSSH 9.2, a proxy client that leaves after a refusal, or with an open under way, takes the whole master and
    // everybody's sessions with it. One that is not ours is then kept, idle, until it ends by itself.
    if (this.options.ridden && !this.options.endRidden && !this.#relay.mayLeave) {
      this.options.log.info(`${this.where}: its passengers leave (${why}); OpenSSH's master is kept`);
      this.#relay.dismiss(info);
      this.#own = undefined; // it was a passenger too
      return;
    }
    this.options.log.info(`${this.where}: leaves (${why})`);
    this.options.endRidden?.().catch((error) =>
      this.options.log.error("cannot end an OpenSSH master", error)
    );
    this.#link.close(info);
  }

  async #gone(info: CloseInfo): Promise<void> {
    this.#ended = true;
    this.#linger.stop();
    for (const forward of this.#forwards.values()) forward.close().catch(() => {}); // its connection is gone
    if (info.how !== "closed") this.options.log.error(`${this.where}: ${info.why}`, info.error);
    await this.#stopListening();
  }

  async #stopListening(): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    listener.close(); // first: whoever comes now is told that nobody listens, and looks for another master
    // The socket at the path may be another's by now, if ours was taken for dead.
    try {
      if ((await Deno.lstat(this.options.controlPath)).ino === this.#socketInode) {
        await Deno.remove(this.options.controlPath);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) this.options.log.error("cannot remove a socket", error);
    }
  }

  /** The texts of the `info` extension: `-O conninfo`, `-O channels`. */
  info(kind: string): string | undefined {
    const { destination, kind: held } = this.options;
    if (kind === "connection") {
      return [
        `Connected to ${destination.user}@${destination.host} port ${destination.port}`,
        `held by ${held === "carpool" ? "Carpool" : "OpenSSH, ridden by Carpool"}, pid ${this.options.pid}`,
        `sessions ${this.#relay.sessionCount}, passengers ${this.#relay.passengerCount}`,
        "",
      ].join("\r\n");
    }
    if (kind !== "channels") return undefined;
    const channels = this.#relay.describeChannels();
    return [
      "The following connections are open:",
      ...channels.map(({ localId, type, state }) => `  #${localId} ${type} (${state})`),
      "",
    ].join("\r\n");
  }
}
