import { toRecord } from "../base/error_record.ts";
import { CarpoolError, MasterError } from "../base/errors.ts";
import { join } from "../deps/node_path.ts";
import type { Link } from "../channel/link.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";
import { Asking } from "./asking.ts";
import { type KeeperAnswer, type KeeperReply, type KeeperRequest, LineConn } from "./keeper_protocol.ts";
import type { Log } from "./log.ts";
import { Master } from "./master.ts";
import { inspectSocket } from "./places.ts";

/** A master lingers for this long after its last session, where ControlPersist does not say otherwise. */
export const DEFAULT_LINGER_MS = 10 * 60 * 1000;

/** How often a silent server is asked for a sign of life, where ServerAliveInterval does not say. */
export const DEFAULT_ALIVE_INTERVAL_MS = 60_000;

/** With no master left, the keeper waits this long for somebody who is just coming. */
const IDLE_MS = 3_000;

/** sshd's default for MaxSessions; a refusal teaches better. */
const MAX_SESSIONS = 10;

/** Masters that are not ours have others' sessions too, which we cannot count: stay well below their limit. */
const MAX_SESSIONS_RIDDEN = 5;

type OpenRequest = Extract<KeeperRequest, { type: "open" }>;

export interface KeeperOptions {
  readonly directory: string;
  readonly log: Log;
  /** Makes a connection of our own. */
  readonly openLink: (target: Target, prompter: Prompter) => Promise<Link>;
  /** Boards a master that is not ours. */
  readonly rideLink: (controlPath: string, where: string) => Promise<Link>;
  /** Nothing is left to do. */
  readonly onIdle: () => void;
}

/** Holds all of a user's masters and answers the clients at its socket. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #masters = new Map<string, Master>();
  /** Connections being made: whoever asks for the same waits for the same. */
  readonly #opening = new Map<string, { readonly asking: Asking; readonly master: Promise<Master> }>();
  #clients = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#checkIdle();
  }

  /** Serves one client until it leaves. */
  async serve(conn: Deno.Conn): Promise<void> {
    using line = new LineConn(conn);
    this.#clients++;
    clearTimeout(this.#idleTimer);
    try {
      for (;;) {
        const request = await line.next<KeeperRequest>();
        if (request === undefined) return;
        await this.#answer(line, request);
      }
    } catch (error) {
      if (error instanceof CarpoolError) this.#options.log.error("a client was dropped", error);
      else if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) {
        throw error;
      }
    } finally {
      this.#clients--;
      this.#checkIdle();
    }
  }

  async #answer(line: LineConn, request: KeeperRequest): Promise<void> {
    let reply: KeeperReply;
    try {
      switch (request.type) {
        case "open":
          return await this.#open(line, request);
        case "list":
          reply = { type: "masters", masters: await this.#list(request.probe) };
          break;
        case "exit-all":
          for (const master of this.#masters.values()) master.exit();
          reply = { type: "done" };
          break;
        default:
          throw new MasterError("refused", {
            what: "Cannot answer",
            why: "the keeper does not know this request",
          });
      }
    } catch (error) {
      reply = { type: "failed", error: toRecord(error) };
    }
    await line.send(reply);
  }

  async #list(probe: boolean) {
    const masters = [...this.#masters.values()];
    if (probe) await Promise.all(masters.map((master) => master.probe(4_000)));
    return masters.filter((master) => master.open).map((master) => master.describe());
  }

  /** The client stays on the line while the connection is made: it may be asked, and it may leave. */
  async #open(line: LineConn, request: OpenRequest): Promise<void> {
    const controlPath = request.controlPath ?? join(this.#options.directory, `${request.key}.sock`);
    const existing = this.#masters.get(controlPath);
    if (existing?.open && existing.options.key === request.key) {
      return await line.send({ type: "opened", controlPath, started: false, info: existing.describe() });
    }
    if (existing?.open) {
      return await line.send({ type: "failed", error: toRecord(otherIdentity(controlPath)) });
    }
    const first = !this.#opening.has(controlPath);
    const opening = this.#opening.get(controlPath) ?? this.#start(controlPath, request);
    const { answer, leave } = opening.asking.join(line, request.interactive);
    const done = opening.master.then(
      (master): KeeperReply => ({ type: "opened", controlPath, started: first, info: master.describe() }),
      (error): KeeperReply => ({ type: "failed", error: toRecord(error) }),
    );
    let left = false;
    const listening = (async () => {
      for (;;) {
        const message = await line.next<KeeperAnswer>();
        if (message === undefined) {
          left = true;
          return leave();
        }
        answer(message);
      }
    })();
    listening.catch(() => left = true);
    const reply = await done;
    if (!left) await line.send(reply);
    await listening; // the client closes the line when it has its answer
  }

  #start(controlPath: string, request: OpenRequest) {
    const asking = new Asking();
    // The first client joins before the first question: the connection starts in the next turn.
    const master = Promise.resolve().then(() => this.#connect(controlPath, request, asking));
    const opening = { asking, master };
    this.#opening.set(controlPath, opening);
    clearTimeout(this.#idleTimer);
    const done = () => {
      this.#opening.delete(controlPath);
      this.#checkIdle();
    };
    master.then(done, done);
    return opening;
  }

  async #connect(controlPath: string, request: OpenRequest, prompter: Prompter): Promise<Master> {
    const { target, key, ride } = request;
    const { log } = this.#options;
    await this.#clearDead(controlPath);
    const link = ride
      ? await this.#options.rideLink(ride.controlPath, target.where)
      : await this.#options.openLink(target, prompter);
    const master = new Master(link, {
      key,
      controlPath,
      destination: { host: target.host, user: target.user, port: target.port },
      lingerMs: request.lingerMs ?? target.controlPersistMs ?? DEFAULT_LINGER_MS,
      maxSessions: request.maxSessions ?? (ride ? MAX_SESSIONS_RIDDEN : MAX_SESSIONS),
      // A keepalive request would end an OpenSSH master's proxy connection; its own master looks after the link.
      aliveIntervalMs: ride ? 0 : target.serverAliveIntervalMs || DEFAULT_ALIVE_INTERVAL_MS,
      aliveCountMax: target.serverAliveCountMax,
      kind: ride ? "openssh" : "carpool",
      pid: ride?.pid ?? Deno.pid,
      log,
    });
    try {
      await master.listen();
    } catch (error) {
      await link.close();
      throw error;
    }
    this.#masters.set(controlPath, master);
    log.info(`${target.where}: ${ride ? `rides OpenSSH's master at ${ride.controlPath}` : "connected"}`);
    master.closed.then(() => {
      if (this.#masters.get(controlPath) === master) this.#masters.delete(controlPath);
      this.#checkIdle();
    });
    return master;
  }

  /** A socket that nobody serves any more is removed; one that somebody serves is not ours to touch. */
  async #clearDead(controlPath: string): Promise<void> {
    const former = this.#masters.get(controlPath);
    if (former !== undefined) await former.stop(); // its place is wanted by another identity, or it is ending
    if (await inspectSocket(controlPath) === "missing") return;
    let conn: Deno.Conn;
    try {
      conn = await Deno.connect({ transport: "unix", path: controlPath });
    } catch {
      await Deno.remove(controlPath);
      this.#options.log.info(`removed a dead socket: ${controlPath}`);
      return;
    }
    conn.close();
    throw new MasterError("refused", {
      what: "Cannot make a control socket",
      where: controlPath,
      why: "another master is alive there",
      fix: "end it (ssh -O exit), or use another ControlPath",
      outcome: "not-started",
    });
  }

  #checkIdle(): void {
    clearTimeout(this.#idleTimer);
    if (this.#masters.size > 0 || this.#opening.size > 0 || this.#clients > 0) return;
    this.#idleTimer = setTimeout(() => this.#options.onIdle(), IDLE_MS);
  }

  /** Takes nobody new; the masters leave when their sessions have finished. */
  drain(): void {
    for (const master of this.#masters.values()) master.stop().catch(() => {}); // its socket is gone already
  }

  /** Resolves when the last master has left. */
  get emptied(): Promise<unknown> {
    return Promise.all([...this.#masters.values()].map((master) => master.closed));
  }

  /** Ends every master. */
  exit(): void {
    for (const master of this.#masters.values()) master.exit();
  }
}

/** Only at a path that somebody chose: ours are named after the identity. */
function otherIdentity(controlPath: string): MasterError {
  return new MasterError("mismatch", {
    what: "Cannot ride the master",
    where: controlPath,
    why: "it was made with other options (user, identity, jump, forwarding, ciphers or known hosts)",
    fix: "use another ControlPath, or end it with carpool exit",
    outcome: "not-started",
  });
}
