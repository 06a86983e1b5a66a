import { MasterError } from "../base/errors.ts";
import { CONTROL_DEADLINE_MS, ControlClient } from "../link/control_link.ts";
import type { Relay } from "./relay.ts";

/** An open that is not answered by then is reason to look whether the master still answers at all. */
const DOUBT_MS = 1_000;

/**
 * Finds an OpenSSH master that has stopped answering while it is ridden. What is asked is its process, at its control
 * socket: no network lies between, and a keepalive request over the link would end its proxy connection.
 */
export class RiddenWatch {
  readonly #relay: Relay;
  readonly #controlPath: string;
  #watching = false;
  #openedAt = 0;

  constructor(relay: Relay, controlPath: string) {
    this.#relay = relay;
    this.#controlPath = controlPath;
  }

  /** To be called before an open is written: without an answer the link ends as lost, and the open is not-started. */
  beforeOpen(): void {
    this.#openedAt = performance.now();
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#watching) return;
    this.#watching = true;
    const timer = setTimeout(() => {
      this.#watching = false;
      if (this.#relay.lastReceivedAt < this.#openedAt) this.#ask();
    }, DOUBT_MS);
    this.#relay.link.closed.then(() => clearTimeout(timer));
  }

  async #ask(): Promise<void> {
    try {
      using client = await ControlClient.connect(this.#controlPath);
      await client.alive();
      this.#lookLater(); // its server may be far away: look again
    } catch (error) {
      // One that takes nobody new (`-O stop`) has no socket any more, and still carries what it has.
      if (!(error instanceof MasterError && error.code === "wedged")) return;
      await this.#relay.link.close({
        how: "lost",
        why: `OpenSSH's master did not answer within ${CONTROL_DEADLINE_MS / 1000} s`,
      });
    }
  }
}
