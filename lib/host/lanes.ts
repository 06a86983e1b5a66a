import type { Connection } from "../channel/connection.ts";
import type { SessionGate } from "../channel/session_gate.ts";
import { Lane, type LanePurpose } from "./lane.ts";

/** A copy of so many bytes goes through a lane of its own. */
export const BULK_LANE_BYTES = 32 * 1024 * 1024;

/** Connections to a host that one process uses at once, the first one included. */
export const DEFAULT_LANES = 4;

/** While commands wait, it is looked this often whether another lane would pay. */
const LOOK_MS = 15;

/** A handshake takes so many round trips (TCP's, and four of a login), and about so long for the two ends to compute. */
const HANDSHAKE_ROUND_TRIPS = 5;
const HANDSHAKE_MS = 60;

export interface LanesOptions {
  /**
   * Opens one more connection, asking nobody anything; rejects where that cannot be. `far`: the way is long, and so each
   * round trip of a login is to be saved.
   */
  readonly open: (purpose: LanePurpose, signal: AbortSignal, far: boolean) => Promise<Connection>;
  /** Lanes at once, beside the connection that is there. */
  readonly most: number;
  /** Says what was decided, for those who want to know. */
  readonly say?: (message: string) => void;
  /** Milliseconds that a lane stays open unused; default 5 s. */
  readonly lingerMs?: number;
  /** Milliseconds that a handshake is taken to last until one was measured; default: from the round trip. */
  readonly handshakeMs?: number;
}

/**
 * Further connections to one host, opened by the process that needs them and closed soon after: for copies of much
 * data, so that neither the keeper nor the commands beside them carry it, and for commands that would wait for a
 * session longer than a handshake takes. Where one cannot be had (somebody would have to be asked, the server
 * refuses), everything goes over the connection that is there, and none is tried again.
 */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #stop = new AbortController();
  readonly #lanes = new Set<Lane>();
  readonly #opening = new Set<Promise<Lane | undefined>>();
  #handshakeMs: number | undefined;
  #refused = false;
  #looking: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#handshakeMs = options.handshakeMs;
  }

  /** Lanes open now. */
  get count(): number {
    return this.#lanes.size;
  }

  /** Sessions open on lanes now. */
  get sessionCount(): number {
    return [...this.#lanes].reduce((sum, { gate }) => sum + gate.openCount, 0);
  }

  get #mayOpen(): boolean {
    return !this.#refused && !this.#stop.signal.aborted &&
      this.#lanes.size + this.#opening.size < this.#options.most;
  }

  /** A lane for much data: one that nobody uses, or a new one; undefined where there is none to be had. */
  async bulk(
    main: SessionGate,
    far = false,
  ): Promise<{ readonly lane: Lane; readonly release: () => void } | undefined> {
    const idle = [...this.#lanes].find((lane) => lane.purpose === "bulk" && !lane.busy && !lane.ended);
    const lane = idle ?? (this.#mayOpen ? await this.#open("bulk", main, far) : undefined);
    return lane && { lane, release: lane.use() };
  }

  /** Commands have to wait at this gate: sees to it until none does. */
  relieve(main: SessionGate): void {
    main.onWait = () => this.#look(main);
    if (main.waitingCount > 0) this.#look(main);
  }

  #look(main: SessionGate): void {
    this.#fill(main);
    if (this.#looking !== undefined || main.waitingCount === 0 || this.#stop.signal.aborted) return;
    if (this.#refused || this.#options.most === 0) return;
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      if (this.#pays(main)) this.#open("sessions", main).then(() => this.#fill(main));
      this.#look(main);
    }, LOOK_MS);
  }

  /** Whether the last one that waits would have its turn so much sooner that it is worth a handshake. */
  #pays(main: SessionGate): boolean {
    if (!this.#mayOpen || this.#opening.size > 0) return false;
    const rttMs = main.roundTripMs ?? 0;
    const handshakeMs = this.#handshakeMs ?? HANDSHAKE_MS + HANDSHAKE_ROUND_TRIPS * rttMs;
    const helping = [...this.#lanes].filter(({ purpose }) => purpose === "sessions").length;
    return main.expectedWaitMs / (helping + 1) > 1.5 * handshakeMs;
  }

  /** Sends whoever waits to lanes that have room, first come first served. */
  #fill(main: SessionGate): void {
    for (const lane of this.#lanes) {
      if (lane.purpose !== "sessions" || lane.ended) continue;
      while (lane.gate.hasRoom && main.divert(lane.gate));
    }
  }

  #open(purpose: LanePurpose, main: SessionGate, far = false): Promise<Lane | undefined> {
    const opening = this.#connect(purpose, main, far);
    this.#opening.add(opening);
    return opening.finally(() => this.#opening.delete(opening));
  }

  async #connect(purpose: LanePurpose, main: SessionGate, far: boolean): Promise<Lane | undefined> {
    const { open, say, lingerMs } = this.#options;
    const startedAt = performance.now();
    try {
      const connection = await open(purpose, this.#stop.signal, far);
      this.#handshakeMs = performance.now() - startedAt;
      const lane = new Lane(purpose, connection, { maxSessions: main.limit, lingerMs });
      this.#lanes.add(lane);
      connection.closed.then(() => this.#lanes.delete(lane));
      lane.gate.onRoom = () => {
        this.#fill(main);
        if (!lane.busy) lane.rest();
      };
      say?.(
        purpose === "bulk"
          ? `Opened another connection to ${connection.where} for the data`
          : `Opened another connection to ${connection.where}: ${main.waitingCount} commands wait for a session`,
      );
      if (purpose === "sessions") lane.rest(); // should those who waited have left meanwhile
      return lane;
    } catch (error) {
      if (this.#stop.signal.aborted) return undefined;
      this.#refused = true;
      const why = error instanceof Error ? error.message : String(error);
      say?.(`Staying on one connection: ${why}`);
      return undefined;
    }
  }

  /** Closes them all, for good. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort(closedForGood);
    clearTimeout(this.#looking);
    await Promise.all([...this.#opening]);
    await Promise.all([...this.#lanes].map(({ connection }) => connection.close()));
  }
}

/** Made once: every host is closed in the end, and an error with its stack is dear. */
const closedForGood = new DOMException("the host was closed", "AbortError");
