import { ChannelError } from "../base/errors.ts";
import { setTimeout as delay } from "node:timers/promises";
import { OPEN_FAILURE } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import { Session } from "./session.ts";

/** sshd's own default for MaxSessions (sshd_config(5)). */
export const DEFAULT_MAX_SESSIONS = 10;

/** How often an open is tried again that was refused with no session of ours left to wait for. */
const RETRIES = 6;
const RETRY_DELAY_MS = 5;

interface Waiter {
  readonly ticket: number;
  readonly resolve: () => void;
}

/**
 * Opens sessions without running into the server's MaxSessions: at most `limit` at a time, the rest wait in the order
 * they came. A refusal teaches the limit.
 *
 * sshd counts a session until it has reaped the child, so an open right after a close can be refused although the
 * limit allows it: where more sessions than now were open before, a refusal teaches nothing and the open is tried
 * again. Trying again is always safe: what was refused was never started.
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

  constructor(connection: Connection, limit: number = DEFAULT_MAX_SESSIONS) {
    this.#connection = connection;
    this.#limit = Math.max(1, limit);
    connection.closed.then(() => {
      // Their opens then fail at once, in the words of the connection.
      for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    });
  }

  /** Sessions at a time, as configured or learned. */
  get limit(): number {
    return this.#limit;
  }

  /** Sessions open now. */
  get openCount(): number {
    return this.#open;
  }

  get waitingCount(): number {
    return this.#waiters.length;
  }

  /** Waits for a turn and opens a session; its slot is given on when it ends. */
  async acquire(signal?: AbortSignal): Promise<Session> {
    const ticket = this.#nextTicket++;
    for (let refusals = 0;; refusals++) {
      await this.#turn(ticket, signal);
      try {
        return this.#opened(await Session.open(this.#connection, { signal }));
      } catch (error) {
        if (isSessionLimit(error) && this.#open > 0 && this.#open >= this.#proven) this.#limit = this.#open;
        this.#release();
        if (!isSessionLimit(error) || (refusals >= RETRIES && this.#open === 0)) throw error;
      }
      await delay(RETRY_DELAY_MS * 2 ** Math.min(refusals, RETRIES), undefined, { signal });
    }
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
