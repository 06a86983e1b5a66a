import type { Prompter } from "../target/prompter.ts";

/** Logins at a time: more only make each other late, and sshd hangs up on whoever takes two minutes (LoginGraceTime). */
const MOST_AT_ONCE = 32;

/** One that takes longer, to a host that does not answer or is far away, gives its turn on and goes on. */
const TURN_MS = 5_000;

/** Lets a few connections be made at a time; the others wait in the order they came. */
export class Logins {
  readonly #most: number;
  readonly #turnMs: number;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(most: number = MOST_AT_ONCE, turnMs: number = TURN_MS) {
    this.#most = most;
    this.#turnMs = turnMs;
  }

  /**
   * Does it when it is its turn. Its prompter is to be used: once somebody is asked, the turn is given on, for people
   * take their time. Rejects with the signal's reason when that comes first.
   */
  async take<T>(
    prompter: Prompter,
    signal: AbortSignal,
    login: (prompter: Prompter) => Promise<T>,
  ): Promise<T> {
    await this.#turn(signal);
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      clearTimeout(timer);
      this.#busy--;
      this.#waiting.shift()?.();
    };
    const timer = setTimeout(release, this.#turnMs);
    try {
      return await login({
        get interactive() {
          return prompter.interactive;
        },
        secret: (...question) => {
          release();
          return prompter.secret(...question);
        },
        line: (...question) => {
          release();
          return prompter.line(...question);
        },
        notice: (message) => prompter.notice(message),
      });
    } finally {
      release();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#busy < this.#most) {
      this.#busy++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const begin = () => {
        signal.removeEventListener("abort", abort);
        this.#busy++;
        resolve();
      };
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(signal.reason);
      };
      this.#waiting.push(begin);
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}
