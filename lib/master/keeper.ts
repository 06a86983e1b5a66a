import { toRecord } from "../base/error_record.ts";
import { CarpoolError, MasterError } from "../base/errors.ts";
import type { Connection } from "../channel/connection.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import { ControlClient } from "../link/control_link.ts";
import type { Prompter } from "../target/prompter.ts";
import { forwardedAgentOf } from "../target/forwarded_agent.ts";
import type { Target } from "../target/target.ts";
import { Asking } from "./asking.ts";
import { differences, hashOf, type Identity, identityKey, identityOf } from "./identity.ts";
import { sharedJumpHost } from "./jump_host.ts";
import { isKeeperGone, keeperGone } from "./keeper_client.ts";
import { type KeeperAnswer, type KeeperReply, type KeeperRequest, LineConn } from "./keeper_protocol.ts";
import type { WatchOptions } from "./link_watch.ts";
import type { Log } from "./log.ts";
import { Logins } from "./logins.ts";
import { Master } from "./master.ts";
import { endOpenSshMaster } from "./openssh_end.ts";
import { liveNamedMaster } from "./named_master.ts";
import { inspectSocket, KEEPER_PROTOCOL, type Place } from "./places.ts";

/** A master lingers for this long after its last session, where ControlPersist does not say otherwise. */
export const DEFAULT_LINGER_MS = 10 * 60 * 1000;

/** How often a silent server is asked for a sign of life, where ServerAliveInterval does not say. */
export const DEFAULT_ALIVE_INTERVAL_MS = 60_000;

/** With no master left, the keeper waits this long for somebody who is just coming. */
const IDLE_MS = 3_000;

/** A slow link is not a dead one: as long as a quiet link has before a request. */
const PROBE_DEADLINE_MS = 8_000;

/** sshd's default for MaxSessions; a refusal teaches better. */
const MAX_SESSIONS = 10;

/** Masters that are not ours have others' sessions too, which we cannot count: stay well below their limit. */
const MAX_SESSIONS_RIDDEN = 5;

type OpenRequest = Extract<KeeperRequest, { type: "open" }>;

export interface KeeperOptions {
  readonly place: Place;
  readonly log: Log;
  /** Makes a connection of our own. */
  readonly openLink: (
    target: Target,
    options: { readonly prompter: Prompter; readonly signal: AbortSignal; readonly via?: Connection },
  ) => Promise<Link>;
  /** Boards a master that is not ours. */
  readonly rideLink: (controlPath: string, where: string) => Promise<Link>;
  /** Nothing is left to do. */
  readonly onIdle: () => void;
  /** Whether the place is still this keeper's: another one may have been started when this one did not answer. */
  readonly inCharge?: () => boolean;
  /** For tests: see `LinkWatch`. */
  readonly clocks?: WatchOptions["clocks"];
  readonly probeDeadlineMs?: number;
}

/** A connection being made: whoever asks for the same waits for the same. */
interface Opening {
  readonly key: string;
  readonly identity: Identity;
  readonly asking: Asking;
  readonly master: Promise<Master>;
}

/** Holds all of a user's masters and answers the clients at its socket. */
export class Keeper {
  readonly #options: KeeperOptions;
  /** By control path: those that take passengers. */
  readonly #masters = new Map<string, Master>();
  /** Those too that only let their sessions finish. */
  readonly #all = new Set<Master>();
  readonly #opening = new Map<string, Opening>();
  readonly #logins = new Logins();
  #clients = 0;
  #draining = false;
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
      await line.send({ type: "hello", protocol: KEEPER_PROTOCOL, pid: Deno.pid });
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
          reply = { type: "done", count: this.#all.size };
          this.exit();
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
    if (probe) {
      await Promise.all(
        masters.map((master) => master.probe(this.#options.probeDeadlineMs ?? PROBE_DEADLINE_MS)),
      );
    }
    return masters.filter((master) => master.open).map((master) => master.describe());
  }

  async #open(line: LineConn, request: OpenRequest): Promise<void> {
    const { place, inCharge } = this.#options;
    if (this.#draining || inCharge?.() === false) throw keeperGone();
    const named = request.ride && this.#masters.get(request.ride.controlPath);
    if (named?.open) return await line.send(await this.#found(named, request));
    const unknowable = request.ride?.unknowable ?? [];
    if (unknowable.length > 0) throw unknownOptions(request.ride!.controlPath, unknowable);

    const controlPath = request.controlPath ?? place.masterSocket(request.key);
    for (;;) {
      const existing = this.#masters.get(controlPath);
      if (existing?.open) return await line.send(await this.#found(existing, request));
      const joined = this.#opening.get(controlPath);
      if (joined !== undefined && joined.key !== request.key) {
        throw mismatch(controlPath, identityOf(request.target), joined.identity);
      }
      const opening = joined ?? this.#start(controlPath, request);
      if (await this.#wait(line, request, opening, joined === undefined) === "answered") return;
    }
  }

  /** A master that lives already: taken, when it is what the client wants. */
  #found(master: Master, request: OpenRequest): Promise<KeeperReply> {
    const wanted = identityOf(request.target);
    // One that is ridden is asked for by its path; what it was made with is not known.
    const same = master.options.kind === "openssh" || master.options.key === request.key ||
      differences(wanted, master.options.identity).length === 0;
    if (!same) throw mismatch(master.options.controlPath, wanted, master.options.identity);
    const { controlPath } = master.options;
    return Promise.resolve({ type: "opened", controlPath, started: false, info: master.describe() });
  }

  /**
   * The client stays on the line while the connection is made: it may be asked, and it may leave. "again" when the
   * connection failed because there was nobody to ask, and this client can be asked.
   */
  async #wait(
    line: LineConn,
    request: OpenRequest,
    opening: Opening,
    started: boolean,
  ): Promise<"answered" | "again"> {
    const { answer, leave } = opening.asking.join(line, request.interactive);
    let left = false;
    let over = false;
    const listening = (async () => {
      try {
        while (!over) {
          const message = await line.next<KeeperAnswer>();
          if (message === undefined) break;
          answer(message);
        }
      } finally {
        left = true;
        leave();
      }
    })();
    listening.catch(() => {}); // awaited below
    let reply: KeeperReply;
    try {
      const master = await opening.master;
      reply = { type: "opened", controlPath: master.options.controlPath, started, info: master.describe() };
    } catch (error) {
      if (!left && !started && request.interactive && opening.asking.missedSomebody) return "again";
      reply = { type: "failed", error: toRecord(error) };
    }
    over = true;
    if (!left) await line.send(reply);
    await listening; // the client closes the line when it has its answer
    return "answered";
  }

  #start(controlPath: string, request: OpenRequest): Opening {
    const asking = new Asking();
    // The first client joins before the first question: the connection starts in the next turn.
    const master = Promise.resolve().then(() => this.#connect(controlPath, request, asking));
    const { key } = request;
    const opening: Opening = { key, identity: identityOf(request.target), asking, master };
    this.#opening.set(controlPath, opening);
    clearTimeout(this.#idleTimer);
    const done = () => {
      asking.settle();
      if (this.#opening.get(controlPath) === opening) this.#opening.delete(controlPath);
      this.#checkIdle();
    };
    asking.signal.addEventListener("abort", done, { once: true });
    master.then(done, (error) => {
      done();
      if (!asking.signal.aborted && !isKeeperGone(error)) {
        this.#options.log.error(`${request.target.where}: no connection`, error);
      }
    });
    return opening;
  }

  async #connect(controlPath: string, request: OpenRequest, asking: Asking): Promise<Master> {
    const { target, key, ride } = request;
    const { log, clocks, probeDeadlineMs } = this.#options;
    await this.#clearPath(controlPath);
    const link = ride
      ? await this.#options.rideLink(ride.controlPath, target.where)
      : await this.#openLink(target, asking);
    const master = new Master(link, {
      key,
      identity: identityOf(target),
      controlPath,
      ridden: ride?.controlPath,
      destination: { host: target.host, user: target.user, port: target.port },
      // Somebody else's is ridden for its whole life: to leave it is not always safe, see `Master`.
      lingerMs: request.lingerMs === "forever" || (ride && !ride.ours)
        ? Infinity
        : request.lingerMs ?? DEFAULT_LINGER_MS,
      endRidden: ride?.ours ? () => endOpenSshMaster(ride.controlPath) : undefined,
      agentSocket: ride ? undefined : forwardedAgentOf(target),
      maxSessions: request.maxSessions ?? (ride && !ride.ours ? MAX_SESSIONS_RIDDEN : MAX_SESSIONS),
      // A keepalive request would end an OpenSSH master's proxy connection; its own master looks after the link.
      aliveIntervalMs: ride ? 0 : target.serverAliveIntervalMs || DEFAULT_ALIVE_INTERVAL_MS,
      aliveCountMax: target.serverAliveCountMax,
      clocks,
      probeDeadlineMs,
      kind: ride ? "openssh" : "carpool",
      pid: ride?.pid ?? Deno.pid,
      log,
    });
    try {
      if (asking.signal.aborted) throw asking.signal.reason;
      master.listen();
    } catch (error) {
      await link.close();
      throw error;
    }
    log.info(`${target.where}: ${ride ? `rides OpenSSH's master at ${ride.controlPath}` : "connected"}`);
    this.#keep(controlPath, master);
    return master;
  }

  /** A connection of our own: through the jump host's own master, where the target lies behind one. */
  async #openLink(target: Target, asking: Asking): Promise<Link> {
    const hop = sharedJumpHost(target);
    const { signal } = asking;
    const login = (via?: Connection) =>
      this.#logins.take(
        asking,
        signal,
        (prompter) => this.#options.openLink(target, { prompter, signal, via }),
      );
    if (hop === undefined) return await login();
    for (let attempt = 1;; attempt++) {
      const master = await this.#jumpMaster(hop, asking);
      try {
        return await login(master.connection());
      } catch (error) {
        // It may have died without a word since it was last used: then there is another now.
        if (attempt >= 2 || master.open || signal.aborted) throw error;
      }
    }
  }

  /** The live master of a jump host: one at its ControlPath, our own, or one that is made now. */
  async #jumpMaster(hop: Target, asking: Asking): Promise<Master> {
    const named = hop.controlPath === undefined
      ? undefined
      : await liveNamedMaster([hop.controlPath, ...hop.controlPathAlternatives]);
    const ours = named && this.#masters.get(named.controlPath);
    if (ours?.open) return ours; // bound there by -M -S
    const ride = named && { ...named, unknowable: [] };
    const key = ride ? `r${await hashOf(ride.controlPath)}` : await identityKey(hop);
    const controlPath = this.#options.place.masterSocket(key);
    const existing = this.#masters.get(controlPath);
    if (existing?.open) return existing;
    const request: OpenRequest = { type: "open", key, target: hop, ride, interactive: false };
    const opening = this.#opening.get(controlPath) ?? this.#start(controlPath, request);
    const leave = opening.asking.borrow(asking);
    try {
      return await opening.master;
    } finally {
      leave();
    }
  }

  #keep(controlPath: string, master: Master): void {
    this.#masters.set(controlPath, master);
    this.#all.add(master);
    const forget = (_info: CloseInfo) => {
      if (this.#masters.get(controlPath) === master) this.#masters.delete(controlPath);
      this.#all.delete(master);
      this.#checkIdle();
    };
    master.closed.then(forget);
    if (this.#draining) master.stop().catch(() => {}); // its socket is gone already
  }

  /** A socket that nobody serves any more is removed; one that somebody serves is not ours to touch. */
  async #clearPath(controlPath: string): Promise<void> {
    await this.#masters.get(controlPath)?.stop(); // it is ending already
    if (inspectSocket(controlPath) === "missing") return;
    try {
      using client = await ControlClient.connect(controlPath);
      await client.alive();
    } catch (error) {
      if (!(error instanceof MasterError) || error.code !== "gone") throw error;
      await Deno.remove(controlPath).catch(() => {}); // or somebody else was faster
      this.#options.log.info(`removed a dead socket: ${controlPath}`);
      return;
    }
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
    if (this.#all.size > 0 || this.#opening.size > 0 || this.#clients > 0) return;
    this.#idleTimer = setTimeout(() => this.#options.onIdle(), IDLE_MS);
  }

  /** Takes nobody new; the masters leave when their sessions have finished. */
  drain(): void {
    this.#draining = true;
    for (const master of this.#all) master.stop().catch(() => {}); // its socket is gone already
  }

  /** Resolves when the last master has left. */
  async emptied(): Promise<void> {
    clearTimeout(this.#idleTimer);
    while (this.#all.size > 0 || this.#opening.size > 0) {
      await Promise.allSettled([
        ...[...this.#all].map((master) => master.closed),
        ...[...this.#opening.values()].map((opening) => opening.master),
      ]);
    }
  }

  /** Ends every master. */
  exit(): void {
    for (const master of this.#all) master.exit();
  }
}

/** Only at a path that somebody chose: ours are named after the identity. */
function mismatch(controlPath: string, wanted: Identity, actual: Identity): MasterError {
  return new MasterError("mismatch", {
    what: "Cannot ride the master",
    where: controlPath,
    why: `it was made with other options: ${differences(wanted, actual).join("; ")}`,
    fix: "use another ControlPath, or end it with carpool exit -S",
    outcome: "not-started",
  });
}

function unknownOptions(controlPath: string, options: readonly string[]): MasterError {
  return new MasterError("mismatch", {
    what: "Cannot ride the OpenSSH master",
    where: controlPath,
    why: `what it uses is unknown, and asked for was: ${options.join(", ")}`,
    fix: "leave that out to ride it",
    outcome: "not-started",
  });
}
