import { CarpoolError } from "../base/errors.ts";
import { formatDuration } from "../base/format_duration.ts";
import type { RunEvent } from "../base/run_event.ts";
import type { CloseInfo } from "../channel/link.ts";
import { delay } from "../deps/std_async.ts";
import { errorInfo } from "./attempt.ts";
import type { JobConnect, JobHost } from "./job_host.ts";

/** What a host's connection needs of its run. */
export interface ConnectionContext {
  readonly connect: JobConnect;
  readonly signal: AbortSignal;
  emit(event: RunEvent): Promise<void>;
}

/** The one connection of a host in a run; made again, once, when it was lost between commands. */
export class HostConnection implements AsyncDisposable {
  readonly #host: string;
  readonly #context: ConnectionContext;
  #current: Promise<JobHost> | undefined;
  #live: JobHost | undefined;
  #lost: CloseInfo | undefined;
  /** Connections opened for this run: riding a live master opens none. */
  opened = 0;
  #made = 0;

  /** The shortest round trip that the connection has seen, in milliseconds; undefined without one. */
  get rttMs(): number | undefined {
    return this.#live?.rttMs;
  }

  constructor(host: string, context: ConnectionContext) {
    this.#host = host;
    this.#context = context;
  }

  get(): Promise<JobHost> {
    if (this.#current && !this.#lost) return this.#current;
    if (this.#made >= 2) {
      return Promise.reject(
        new CarpoolError("connection-lost", {
          what: "The connection was lost, twice",
          where: this.#host,
          why: this.#lost?.why,
          outcome: "not-started",
        }),
      );
    }
    this.#lost = undefined;
    this.#made++;
    return this.#current = this.#connect();
  }

  /**
   * Leaves the connection and logs in anew, after `afterMs`, until it works or `timeoutMs` have passed. The new one is
   * private: a shared one would be the old login.
   */
  async renew(afterMs: number, timeoutMs: number): Promise<void> {
    const { signal } = this.#context;
    const endsAtMs = Date.now() + timeoutMs;
    await this.#leave();
    if (afterMs > 0) await delay(afterMs, { signal });
    for (let waitMs = 500;; waitMs = Math.min(waitMs * 2, 5000)) {
      this.#lost = undefined;
      this.#made = 1;
      try {
        const deadline = AbortSignal.timeout(Math.max(1, endsAtMs - Date.now()));
        await (this.#current = this.#connect(AbortSignal.any([signal, deadline]), true));
        return;
      } catch (error) {
        signal.throwIfAborted();
        // A key that changed or a login that is refused does not come right by waiting.
        const lasting = error instanceof CarpoolError &&
          ["changed", "revoked", "auth-failed"].includes(error.code);
        if (lasting || Date.now() + waitMs >= endsAtMs) {
          throw new CarpoolError("not-there", {
            what: "Cannot connect again",
            where: this.#host,
            why: lasting
              ? errorInfo(error).message
              : `not within ${formatDuration(timeoutMs)}: ${errorInfo(error).message}`,
            cause: error,
          });
        }
        await delay(waitMs, { signal });
      }
    }
  }

  async #connect(signal = this.#context.signal, fresh = false): Promise<JobHost> {
    const { connect, emit } = this.#context;
    const startedAtMs = Date.now();
    try {
      const host = await connect(this.#host, fresh ? { signal, fresh } : { signal });
      const connection = host.connection ?? "new";
      if (connection === "new") this.opened++;
      host.closed.then((info) => {
        // One that was left long ago says nothing about the one in its place.
        if (this.#live === host) this.#lost = info;
      });
      this.#live = host;
      const durationMs = Date.now() - startedAtMs;
      await emit({
        type: "host-ready",
        atMs: Date.now(),
        host: this.#host,
        where: host.where,
        connection,
        durationMs,
      });
      return host;
    } catch (error) {
      this.#lost = { how: "lost", why: errorInfo(error).message };
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#leave();
  }

  async #leave(): Promise<void> {
    this.#live = undefined;
    let host: JobHost | undefined;
    try {
      host = await this.#current;
    } catch {
      // It was never there, and whoever asked for it was told.
    }
    await host?.[Symbol.asyncDispose]();
  }
}
