import { MasterError } from "../base/errors.ts";
import type { Link } from "../channel/link.ts";
import { CONTROL_DEADLINE_MS, ControlClient } from "../link/control_link.ts";

/** One that has just answered is not asked again for this long. */
const FRESH_MS = 1_000;

/**
 * Finds an OpenSSH master that has stopped answering while it is ridden. What is asked is its process, at its control
 * socket: no network lies between, and a keepalive request over the link would end its proxy connection.
 */
export class RiddenWatch {
  readonly #link: Link;
  readonly #controlPath: string;
  #askedAt = performance.now();
  #asking = false;

  constructor(link: Link, controlPath: string) {
    this.#link = link;
    this.#controlPath = controlPath;
  }

  /** To be called before an open is written: without an answer the link ends as lost, and the open is not-started. */
  beforeOpen(): void {
    if (this.#asking || performance.now() - this.#askedAt < FRESH_MS) return;
    this.#asking = true;
    this.#ask().finally(() => {
      this.#asking = false;
      this.#askedAt = performance.now();
    });
  }

  async #ask(): Promise<void> {
    try {
      using client = await ControlClient.connect(this.#controlPath);
      await client.alive();
    } catch (error) {
      // One that takes nobody new (`-O stop`) has no socket any more, and still carries what it has.
      if (!(error instanceof MasterError && error.code === "wedged")) return;
      this.#link.close({
        how: "lost",
        why: `OpenSSH's master did not answer within ${CONTROL_DEADLINE_MS / 1000} s`,
      });
    }
  }
}
