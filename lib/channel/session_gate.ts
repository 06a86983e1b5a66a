import { ChannelError } from "../base/errors.ts";
import { delay } from "../deps/std_async.ts";
import { OPEN_FAILURE } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import { Session } from "./session.ts";

/** sshd's own default for MaxSessions (sshd_config(5)). */
export const DEFAULT_MAX_SESSIONS = 10;

/** How often a refused open is tried again while no session of ours is left to wait for. */
const RETRIES = 6;
const RETRY_DELAY_MS = 5;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens sessions without ever running into the server's MaxSessions: at most `limit` at a time, the rest wait in the
 * order they came. A refusal teaches the limit. sshd counts a session until it has reaped the child, so an open right
 * after a close can be refused once more: such an open is simply tried again, it was never started.
 */
export class SessionGate {
  readonly #connection: Connection;
  readonly #waiters: Waiter[] = [];
  #limit: number;
  #open = 0;

  constructor(connection: Connection, limit: number = DEFAULT_MAX_SESSIONS) {
    this.#connection = connection;
    this.#limit = Math.max(1, limit);
    connection.closed.then(() => {
      for (const waiter of this.#waiters.splice(0)) waiter.resolve(); // opening then fails with the right words
    });
  }

  /** Sessions at a time, as configured or learned. */
  get limit(): number {
    return this.#limit;
  }

  /** Sessions open or opening now. */
  get openCount(): number {
    return this.#open;
  }

  get waitingCount(): number {
    return this.#waiters.length;
  }

  /** Waits for a turn and opens a session; its slot is given on when it ends. */
  async acquire(signal?: AbortSignal): Promise<Session> {
    await this.#turn(signal);
    try {
      const session = await this.#openPatiently(signal);
      session.ended.then(() => this.#release());
      return session;
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  async #openPatiently(signal: AbortSignal | undefined): Promise<Session> {
    for (let attempt = 0;; attempt++) {
      try {
        return await Session.open(this.#connection, { signal });
      } catch (error) {
        if (!isSessionLimit(error) || attempt >= RETRIES) throw error;
        const others = this.#open - 1;
        if (others > 0) {
          this.#limit = Math.max(1, Math.min(this.#limit, others));
          // Our slot goes back behind the limit; take another turn when one of the others has ended.
          this.#open--;
          try {
            await this.#turn(signal, true);
          } catch (aborted) {
            this.#open++; // acquire() releases it
            throw aborted;
          }
        }
        await delay(RETRY_DELAY_MS * 2 ** attempt, { signal });
      }
    }
  }

  #turn(signal: AbortSignal | undefined, first = false): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#open < this.#limit && (first || this.#waiters.length === 0)) {
      this.#open++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener("abort", abort);
          this.#open++;
          resolve();
        },
        reject,
      };
      signal?.addEventListener("abort", abort, { once: true });
      if (first) this.#waiters.unshift(waiter);
      else this.#waiters.push(waiter);
    });
  }

  #release(): void {
    this.#open--;
    while (this.#open < this.#limit && this.#waiters.length > 0) this.#waiters.shift()?.resolve();
  }
}

/** OpenSSH answers "open failed" with reason 2 when MaxSessions is reached; others use 4, as RFC 4254 would have it. */
function isSessionLimit(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "open-failed" &&
    (error.reason === OPEN_FAILURE.CONNECT_FAILED || error.reason === OPEN_FAILURE.RESOURCE_SHORTAGE);
}
