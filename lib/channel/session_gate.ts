import { ChannelError } from "../base/errors.ts";
import { setTimeout as delay } from "node:timers/promises";
import { OPEN_FAILURE } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import { Quiet, type QuietOptions } from "./quiet.ts";
import { Session } from "./session.ts";
import { SparePool } from "./spare_pool.ts";

/** sshd's own default for MaxSessions (sshd_config(5)). */
export const DEFAULT_MAX_SESSIONS = 10;

/** How often an open is tried again that was refused with no session of ours left to wait for. */
const RETRIES = 6;
const RETRY_DELAY_MS = 5;

/** Tickets of bulk work begin here, behind all others. */
const BULK_TICKET = 2 ** 52;

interface Waiter {
  readonly ticket: number;
  readonly resolve: () => void;
}

export interface SessionGateOptions {
  /** Most spare sessions kept open ahead of need; default 0: none. Spares count towards the limit. */
  readonly spares?: number;
  /** Milliseconds after which a spare that nobody used is closed; default 60 s. */
  readonly spareUnusedMs?: number;
  /** Whoever holds the connection may hand over spares of its own: what a closed one was sent is sent again. */
  readonly handsSpares?: boolean;
  /** When the link counts as quiet; for tests. */
  readonly quiet?: QuietOptions;
}

/** A session opened ahead of need; undefined when the server would not open one. */
interface Spare {
  readonly session: Promise<Session | undefined>;
  opened: Session | undefined;
  claimed: boolean;
}

/**
 * Opens sessions without running into the server's MaxSessions: at most `limit` at a time, the rest wait in the order
 * they came. A refusal teaches the limit.
 *
 * sshd counts a session until it has reaped the child, so an open right after a close can be refused although the
 * limit allows it: where more sessions than now were open before, a refusal teaches nothing and the open is tried
 * again. Trying again is always safe: what was refused was never started.
 *
 * With spares, the next session is there already: its request leaves at once. On a link that was silent for long none
 * is used: the open of a new one is the sign of life.
 */
export class SessionGate {
  readonly #connection: Connection;
  /** In the order of their tickets. */
  readonly #waiters: Waiter[] = [];
  #limit: number;
  #nextTicket = 0;
  /** Slots taken: sessions open or being opened. */
  #taken = 0;
  /** Sessions that the server has confirmed and that are not over. */
  #open = 0;
  /** The most that were ever open at once. */
  #proven = 0;
  readonly #spares: SparePool<Spare>;
  readonly #quiet: Quiet;
  readonly #handsSpares: boolean;

  constructor(
    connection: Connection,
    limit: number = DEFAULT_MAX_SESSIONS,
    options: SessionGateOptions = {},
  ) {
    this.#connection = connection;
    this.#limit = Math.max(1, limit);
    this.#handsSpares = options.handsSpares ?? false;
    this.#quiet = new Quiet(() => connection.lastReceivedAt, options.quiet);
    this.#spares = new SparePool<Spare>({
      open: () => this.#openSpare(),
      close: ({ opened }) => opened?.close(),
      // Half the limit at most: sshd counts sessions that are over until it has reaped them.
      hasRoom: () =>
        this.#waiters.length === 0 && this.#limit > 2 && this.#taken < Math.floor(this.#limit / 2),
    }, { most: options.spares ?? 0, unusedMs: options.spareUnusedMs });
    connection.closed.then(() => {
      this.#spares.end();
      // Their opens then fail at once, in the words of the connection.
      for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    });
    this.#spares.refill();
  }

  /** Sessions at a time, as configured or learned. */
  get limit(): number {
    return this.#limit;
  }

  /** Sessions open now; spares are none. */
  get openCount(): number {
    return this.#open - this.#spares.readyCount;
  }

  /** Sessions open ahead of need, and on their way. */
  get spareCount(): number {
    return this.#spares.count;
  }

  get waitingCount(): number {
    return this.#waiters.length;
  }

  /**
   * Waits for a turn and opens a session; its slot is given on when it ends. What is `bulk` waits behind everything
   * that is not.
   */
  async acquire(signal?: AbortSignal, options: { readonly bulk?: boolean } = {}): Promise<Session> {
    const ticket = this.#nextTicket++ + (options.bulk ? BULK_TICKET : 0);
    const spare = await this.#spare(signal);
    if (spare !== undefined) return spare;
    for (let refusals = 0;; refusals++) {
      await this.#turn(ticket, signal);
      try {
        const session = await Session.open(this.#connection, { signal, spare: this.#handsSpares });
        this.#quiet.answered();
        session.onStart = () => this.#spares.refill();
        return this.#opened(session);
      } catch (error) {
        if (isSessionLimit(error)) this.#learn();
        this.#release();
        if (!isSessionLimit(error) || (refusals >= RETRIES && this.#open === 0)) throw error;
      }
      await delay(RETRY_DELAY_MS * 2 ** Math.min(refusals, RETRIES), undefined, { signal });
    }
  }

  async #spare(signal: AbortSignal | undefined): Promise<Session | undefined> {
    if (this.#waiters.length > 0 || signal?.aborted) return undefined;
    if (this.#quiet.is) {
      // Whether the link still lives, only an answer tells; where the limit leaves no room to ask, a spare makes it.
      if (this.#taken >= this.#limit) this.#spares.dropOne();
      return undefined;
    }
    const spare = this.#spares.take();
    if (spare === undefined) return undefined;
    spare.claimed = true;
    const session = spare.opened ?? await spare.session;
    if (session === undefined) return undefined;
    if (signal?.aborted) {
      spare.claimed = false;
      this.#spares.giveBack(spare);
      throw signal.reason;
    }
    if (session.channel.state !== "open") return undefined; // the server has closed it meanwhile
    session.onStart = () => this.#spares.refill();
    return session;
  }

  #openSpare(): Spare {
    this.#taken++;
    const opening = Session.open(this.#connection, { window: 0, spare: true });
    const spare: Spare = {
      claimed: false,
      opened: undefined,
      session: opening.then((session) => {
        spare.opened = this.#opened(session);
        session.ended.then(() => this.#spares.gone(spare));
        if (!spare.claimed && !this.#spares.arrived(spare)) session.close();
        return session;
      }, (error) => {
        if (isSessionLimit(error)) this.#learn();
        this.#spares.gone(spare);
        this.#spares.end(); // refused once: no more, and whoever waits for this one opens its own
        this.#release();
        return undefined;
      }),
    };
    return spare;
  }

  /** A refusal with as many open as ever before: that is the limit. */
  #learn(): void {
    if (this.#open > 0 && this.#open >= this.#proven) this.#limit = this.#open;
  }

  #opened(session: Session): Session {
    this.#open++;
    this.#proven = Math.max(this.#proven, this.#open);
    session.ended.then(() => {
      this.#open--;
      this.#release();
    });
    return session;
  }

  #turn(ticket: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const isNext = this.#waiters.length === 0 || ticket < this.#waiters[0].ticket;
    if (isNext && this.#taken < this.#limit) {
      this.#taken++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        ticket,
        resolve: () => {
          signal?.removeEventListener("abort", abort);
          this.#taken++;
          resolve();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      // One that was refused keeps its place among those that came later.
      const later = this.#waiters.findIndex((other) => other.ticket > ticket);
      this.#waiters.splice(later === -1 ? this.#waiters.length : later, 0, waiter);
    });
  }

  #release(): void {
    this.#taken--;
    while (this.#taken < this.#limit && this.#waiters.length > 0) this.#waiters.shift()?.resolve();
  }
}

/** OpenSSH answers "open failed" with reason 2 at MaxSessions; others use 4, as RFC 4254 §5.1 would have it. */
function isSessionLimit(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "open-failed" &&
    (error.reason === OPEN_FAILURE.CONNECT_FAILED || error.reason === OPEN_FAILURE.RESOURCE_SHORTAGE);
}
