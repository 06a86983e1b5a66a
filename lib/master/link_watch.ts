import { Quiet, type QuietOptions } from "../channel/quiet.ts";
import type { Relay } from "./relay.ts";

/** What a sign of life may take; longer than any link that is worth using. */
const PROBE_DEADLINE_MS = 8_000;

export interface WatchOptions extends QuietOptions {
  /** Milliseconds of silence before a keepalive; 0: none. */
  readonly aliveIntervalMs: number;
  readonly aliveCountMax: number;
  /** For tests: what a sign of life may take, in milliseconds; default 8 s. */
  readonly probeDeadlineMs?: number;
}

/**
 * Finds a link that has died without a word: a pulled cable, a laptop that slept. The first thing that a passenger
 * sends on a link that was quiet is always an open, which starts nothing. A keepalive goes with it (the open itself may
 * wait for its turn, or the server for whatever it connects to): without a sign of life in time the link is ended as
 * lost, the open is `not-started`, and the work moves to a new connection. Only for connections of our own: a global
 * request ends a proxy connection to an OpenSSH master.
 */
export class LinkWatch {
  readonly #relay: Relay;
  readonly #quiet: Quiet;
  readonly #probeDeadlineMs: number;
  #waitingForLife = false;
  #lookingAgain = false;

  constructor(relay: Relay, options: WatchOptions) {
    this.#relay = relay;
    this.#quiet = new Quiet(() => relay.lastReceivedAt, options);
    this.#probeDeadlineMs = options.probeDeadlineMs ?? PROBE_DEADLINE_MS;
    this.#keepAlive(options);
  }

  /** Whether the link has been silent for long, or the clock has jumped, since it was last heard. */
  get isQuiet(): boolean {
    return this.#quiet.is;
  }

  /** To be called before an open is written: something must be heard after it, on a quiet link soon. */
  beforeOpen(): void {
    if (this.#waitingForLife) return;
    if (!this.isQuiet) return this.#lookAgain();
    this.#waitingForLife = true;
    this.#relay.request("keepalive@openssh.com").then(() => this.#quiet.answered(), () => {}); // the link's end tells
    const heardAt = this.#relay.lastReceivedAt;
    const timer = setTimeout(() => {
      this.#waitingForLife = false;
      if (this.#relay.lastReceivedAt !== heardAt) this.#quiet.answered();
      else this.#lost(this.#probeDeadlineMs);
    }, this.#probeDeadlineMs);
    this.#relay.link.closed.then(() => clearTimeout(timer));
  }

  /**
   * The link was alive a moment ago, and may have died since (a cable that is pulled between two commands): if nothing
   * has been heard by the time it counts as quiet, it is probed then.
   */
  #lookAgain(): void {
    if (this.#lookingAgain) return;
    this.#lookingAgain = true;
    const askedAt = this.#quiet.steady();
    const timer = setTimeout(() => {
      this.#lookingAgain = false;
      if (this.#relay.lastReceivedAt < askedAt) this.beforeOpen();
    }, this.#quiet.quietMs);
    this.#relay.link.closed.then(() => clearTimeout(timer));
  }

  /**
   * Asks the server for a sign of life, end to end, and ends the link as lost without one. Resolves with the round-trip
   * time in milliseconds, or null. Not for a master of OpenSSH's: a keepalive request ends its proxy connections.
   */
  async probe(deadlineMs: number): Promise<number | null> {
    const startedAt = this.#quiet.steady();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), deadlineMs));
    const answered = this.#relay.request("keepalive@openssh.com").then(
      () => this.#quiet.steady() - startedAt,
      () => null,
    );
    const rttMs = await Promise.race([answered, deadline]);
    clearTimeout(timer);
    if (rttMs === null) await this.#lost(deadlineMs);
    return rttMs;
  }

  #lost(deadlineMs: number): Promise<void> {
    return this.#relay.link.close({
      how: "lost",
      why: `the server did not answer within ${deadlineMs / 1000} s`,
    });
  }

  #keepAlive({ aliveIntervalMs, aliveCountMax }: WatchOptions): void {
    if (aliveIntervalMs <= 0) return;
    let unanswered = 0;
    const timer = setInterval(() => {
      if (this.#quiet.steady() - this.#relay.lastReceivedAt < aliveIntervalMs) {
        unanswered = 0;
        return;
      }
      if (unanswered++ >= aliveCountMax) {
        this.#relay.link.close({
          how: "lost",
          why: `the server did not answer ${aliveCountMax} times, ${aliveIntervalMs / 1000} s apart`,
        });
        return;
      }
      this.#relay.request("keepalive@openssh.com").then(() => unanswered = 0, () => {});
    }, aliveIntervalMs);
    this.#relay.link.closed.then(() => clearInterval(timer));
  }
}
