import { ChannelError, LinkError } from "../base/errors.ts";
import { setTimeout as delay } from "node:timers/promises";
import { OPEN_FAILURE } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import { Quiet, type QuietOptions } from "./quiet.ts";
import { Session } from "./session.ts";
import { SessionLimit } from "./session_limit.ts";
import { SparePool } from "./spare_pool.ts";

/** sshd's own default for MaxSessions (sshd_config(5)). */
export const DEFAULT_MAX_SESSIONS = 10;

/** How often an open is tried again that was refused with no session of ours left to wait for. */
const RETRIES = 6;
const RETRY_DELAY_MS = 5;

/** While others are open, the delay doubles only so often: one of them may end at any moment. */
const SHORT_RETRIES = 2;

/** Tickets of bulk work begin here, behind all others. */
const BULK_TICKET = 2 ** 52;

interface Waiter {
  readonly ticket: number;
  /** Its turn has come: here, or at another gate to the same host. */
  readonly resolve: (elsewhere?: SessionGate) => void;
}

export interface SessionGateOptions {
  /** Most spare sessions kept open ahead of need; default 0: none. Spares count towards the limit. */
  readonly spares?: number;
  /** Milliseconds after which a spare that nobody used is closed; default 60 s. */
  readonly spareUnusedMs?: number;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
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
 * they came. A refusal teaches the limit, which is tried again later.
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
  readonly #limit: SessionLimit;
  #nextTicket = 0;
  /** Slots taken: sessions open or being opened. */
  #taken = 0;
  /** Refused ones that will be tried again in a moment. */
  #pausing = 0;
  /** Sessions that the server has confirmed and that are not over. */
  #open = 0;
  /** When the sessions that are in use were handed out. */
  readonly #since = new Map<Session, number>();
  /** What sessions took lately, in milliseconds; undefined: none has ended. */
  #usualMs: number | undefined;
  /** Called when somebody has to wait. */
  onWait: (() => void) | undefined;
  /** Called when a slot has become free that nobody here waits for. */
  onRoom: (() => void) | undefined;
  readonly #spares: SparePool<Spare>;
  /** Spares that nobody has taken; those being closed among them. */
  readonly #idle = new Set<Spare>();
  readonly #quiet: Quiet;
  readonly #handsSpares: boolean;

  constructor(
    connection: Connection,
    limit: number = DEFAULT_MAX_SESSIONS,
    options: SessionGateOptions = {},
  ) {
    this.#connection = connection;
    this.#limit = new SessionLimit(limit, { now: options.now });
    this.#handsSpares = options.handsSpares ?? false;
    this.#quiet = new Quiet(() => connection.lastReceivedAt, options.quiet);
    this.#spares = new SparePool<Spare>({
      open: () => this.#openSpare(),
      close: ({ opened }) => opened?.close(),
      // Half the limit at most: sshd counts sessions that are over until it has reaped them.
      hasRoom: () => this.#waiters.length === 0 && this.limit > 2 && this.#taken < Math.floor(this.limit / 2),
    }, { most: options.spares ?? 0, unusedMs: options.spareUnusedMs, forgives: true, now: options.now });
    connection.closed.then(() => {
      this.#spares.end();
      // Their opens then fail at once, in the words of the connection.
      for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    });
    this.#spares.refill();
  }

  /** Sessions at a time, as configured or learned. */
  get limit(): number {
    return this.#limit.value;
  }

  /** Sessions open now; spares are none. */
  get openCount(): number {
    return Math.max(0, this.#open - [...this.#idle].filter(({ opened }) => opened).length);
  }

  /** Sessions open ahead of need, and on their way. */
  get spareCount(): number {
    return this.#idle.size;
  }

  get waitingCount(): number {
    return this.#waiters.length;
  }

  /** The shortest round trip lately, in milliseconds. */
  get roundTripMs(): number | undefined {
    return this.#connection.roundTrip.minMs;
  }

  /** Whether a session would get its turn at once. */
  get hasRoom(): boolean {
    return this.#waiters.length === 0 && this.#taken < this.limit;
  }

  /**
   * Milliseconds until the last one that waits now would have its turn, from what sessions took lately and how long
   * those that are open have been so.
   */
  get expectedWaitMs(): number {
    if (this.#waiters.length === 0) return 0;
    const oldest = this.#since.values().next();
    const ageMs = oldest.done ? 0 : performance.now() - oldest.value;
    return Math.max(this.#usualMs ?? 0, ageMs) * this.#waiters.length / this.limit;
  }

  /** Sends the one that has waited longest to another gate to the same host; false when nobody waits. */
  divert(elsewhere: SessionGate): boolean {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return false;
    elsewhere.#taken++; // at once: whoever asks next whether there is room must see it
    waiter.resolve(elsewhere);
    return true;
  }

  /**
   * Waits for a turn and opens a session; its slot is given on when it ends. What is `bulk` waits behind everything
   * that is not.
   */
  async acquire(signal?: AbortSignal, options: { readonly bulk?: boolean } = {}): Promise<Session> {
    const ticket = this.#nextTicket++ + (options.bulk ? BULK_TICKET : 0);
    const spare = await this.#spare(signal);
    return spare ? this.#handOut(spare) : await this.#acquire(ticket, signal, true);
  }

  /** @param waits false where a slot is taken already. */
  async #acquire(ticket: number, signal: AbortSignal | undefined, waits: boolean): Promise<Session> {
    for (let refusals = 0;; refusals++) {
      const elsewhere = waits ? await this.#turn(ticket, signal) : undefined;
      if (elsewhere !== undefined) {
        const session = await elsewhere.#acquire(elsewhere.#nextTicket++, signal, false).catch((error) => {
          if (!(error instanceof LinkError)) throw error;
        });
        if (session !== undefined) return session;
        continue; // that connection has ended: its place here is kept
      }
      try {
        const session = await Session.open(this.#connection, { signal, spare: this.#handsSpares });
        this.#quiet.answered();
        session.onStart = () => this.#spares.refill();
        const opened = this.#handOut(this.#opened(session));
        if (refusals > 0) this.#serve();
        return opened;
      } catch (error) {
        if (isSessionLimit(error)) {
          this.#limit.refused(this.#open);
          this.#spares.dropOne(); // nobody waits for a session while one lies idle
        }
        if (!isSessionLimit(error) || (refusals >= RETRIES && this.#open === 0)) {
          this.#release();
          throw error;
        }
      }
      // One slot too many was taken: it waits for one of the others. Otherwise the server has not yet seen that one
      // is over: the slot is kept meanwhile, so that nobody who came later gets ahead.
      waits = this.#taken > this.limit;
      if (waits) this.#release();
      else await this.#pause(refusals, signal);
    }
  }

  /** Nobody gets a turn meanwhile: the slot that the server frees next is for the one that was refused. */
  async #pause(refusals: number, signal: AbortSignal | undefined): Promise<void> {
    this.#pausing++;
    const longest = this.#open > 0 ? SHORT_RETRIES : RETRIES;
    try {
      await delay(RETRY_DELAY_MS * 2 ** Math.min(refusals, longest), undefined, { signal });
    } catch (error) {
      this.#pausing--;
      this.#release();
      throw error;
    }
    this.#pausing--;
  }

  async #spare(signal: AbortSignal | undefined): Promise<Session | undefined> {
    if (this.#waiters.length > 0 || signal?.aborted) return undefined;
    if (this.#quiet.is) {
      // Whether the link still lives, only an answer tells; where the limit leaves no room to ask, a spare makes it.
      if (this.#taken >= this.limit) this.#spares.dropOne();
      return undefined;
    }
    const spare = this.#spares.take();
    if (spare === undefined) return undefined;
    spare.claimed = true;
    this.#idle.delete(spare);
    const session = spare.opened ?? await spare.session;
    if (session === undefined) return undefined;
    if (signal?.aborted) {
      spare.claimed = false;
      this.#idle.add(spare);
      this.#spares.giveBack(spare);
      throw signal.reason;
    }
    if (session.channel.state !== "open") return undefined; // the server has closed it meanwhile
    session.onStart = () => this.#spares.refill();
    return session;
  }

  #openSpare(): Spare {
    this.#taken++;
    const askedAt = performance.now();
    const opening = Session.open(this.#connection, { window: 0, spare: true });
    const spare: Spare = {
      claimed: false,
      opened: undefined,
      session: opening.then((session) => {
        spare.opened = this.#opened(session);
        this.#connection.roundTrip.seen(performance.now() - askedAt);
        session.ended.then(() => {
          this.#idle.delete(spare);
          this.#spares.gone(spare);
        });
        if (!spare.claimed && !this.#spares.arrived(spare)) session.close();
        return session;
      }, (error) => {
        if (isSessionLimit(error)) this.#limit.refused(this.#open);
        this.#idle.delete(spare);
        this.#spares.refused(spare); // whoever waits for this one opens its own
        this.#release();
        return undefined;
      }),
    };
    this.#idle.add(spare);
    return spare;
  }

  #opened(session: Session): Session {
    this.#open++;
    this.#limit.opened(this.#open);
    session.ended.then(() => {
      this.#open--;
      this.#release();
      if (session.started) this.#spares.refill(); // there may be room now for as many as are wanted
    });
    return session;
  }

  #handOut(session: Session): Session {
    const since = performance.now();
    this.#since.set(session, since);
    session.ended.then(() => {
      this.#since.delete(session);
      const tookMs = performance.now() - since;
      this.#usualMs = this.#usualMs === undefined ? tookMs : this.#usualMs * 0.75 + tookMs * 0.25;
    });
    return session;
  }

  /** Resolves with the gate to go to, where that is not this one. */
  #turn(ticket: number, signal: AbortSignal | undefined): Promise<SessionGate | undefined> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const isNext = this.#waiters.length === 0 || ticket < this.#waiters[0].ticket;
    if (isNext && this.#taken < this.limit && this.#pausing === 0) {
      this.#taken++;
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        ticket,
        resolve: (elsewhere) => {
          signal?.removeEventListener("abort", abort);
          if (elsewhere === undefined) this.#taken++;
          resolve(elsewhere);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      // One that was refused keeps its place among those that came later.
      const later = this.#waiters.findIndex((other) => other.ticket > ticket);
      this.#waiters.splice(later === -1 ? this.#waiters.length : later, 0, waiter);
      this.onWait?.();
    });
  }

  #release(): void {
    this.#taken--;
    this.#serve();
  }

  #serve(): void {
    while (this.#pausing === 0 && this.#taken < this.limit && this.#waiters.length > 0) {
      this.#waiters.shift()?.resolve();
    }
    if (this.hasRoom) this.onRoom?.();
  }
}

/** OpenSSH answers "open failed" with reason 2 at MaxSessions; others use 4, as RFC 4254 §5.1 would have it. */
function isSessionLimit(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "open-failed" &&
    (error.reason === OPEN_FAILURE.CONNECT_FAILED || error.reason === OPEN_FAILURE.RESOURCE_SHORTAGE);
}
