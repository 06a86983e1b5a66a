// deno-lint-ignore-file no-explicit-any -- the boundary to ssh2
import { setImmediate } from "node:timers";
import { LinkError } from "../base/errors.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target } from "../target/target.ts";
import { Reader } from "../wire/reader.ts";
import { type Attempt, AuthContext } from "./auth_context.ts";
import { authFailure } from "./auth_failure.ts";
import { KeyOffers } from "./ssh2_key_offers.ts";
import { signAtOnce } from "./ssh2_sign_at_once.ts";
import { AuthQuestions } from "./auth_questions.ts";

/** How a target logs in, for ssh2's Client. */
export interface Authentication {
  /** The Client's option of that name. */
  readonly authHandler: (
    left: string[] | null,
    partial: boolean | null,
    next: (attempt: unknown) => void,
  ) => void;
  /** Call right after `client.connect()`: sees what ssh2 does not pass on. */
  attach(client: any): void;
  /** The error to throw when authentication has failed. */
  failure(cause: Error): LinkError;
}

/**
 * Prepares logging in to a target: keys from the agent and from files, keyboard-interactive, password, in the order and
 * within the limits of its configuration. Secrets are asked for when the server wants them, and not kept.
 */
export function createAuthentication(
  target: Target,
  prompter: Prompter,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Authentication> {
  return Promise.resolve(new Authenticator(target, prompter, options.signal));
}

/** SSH_MSG_USERAUTH_FAILURE (RFC 4252 §5.1) */
const USERAUTH_FAILURE = 51;

/** A server that is never content must not keep us for ever. */
const MAX_ATTEMPTS = 100;

class Authenticator implements Authentication {
  readonly #context: AuthContext;
  readonly #keys: KeyOffers;
  readonly #questions: AuthQuestions;
  readonly #ended = new AbortController();
  /** Methods with which the server was content, though not alone. */
  readonly #accepted: string[] = [];
  /** Methods that can continue, as the server last said; undefined while it has not. */
  #left: readonly string[] | undefined;
  #client: any;
  #partial = false;
  #last = "";
  #attempts = 0;
  #askedNone = false;

  constructor(target: Target, prompter: Prompter, signal: AbortSignal | undefined) {
    const ends = signal ? AbortSignal.any([signal, this.#ended.signal]) : this.#ended.signal;
    this.#context = new AuthContext(target, prompter, { signal: ends, later: this.#later });
    this.#keys = new KeyOffers(this.#context);
    this.#questions = new AuthQuestions(this.#context);
  }

  readonly authHandler: Authentication["authHandler"] = (left, partial, next) => {
    // ssh2 passes on nothing of what a server says to a key of the agent: attach() sees it.
    this.#left ??= left ?? undefined;
    if (this.#client === undefined && left) [this.#left, this.#partial] = [left, partial ?? false];
    if (this.#partial) this.#advance();
    this.#attempt().catch((error): Attempt => {
      this.#context.tried.push(error instanceof Error ? error.message : String(error));
      return false;
    }).then((attempt) =>
      this.#later(() => {
        next(attempt);
        // ssh2 holds on to what it was given for as long as the connection lives.
        if (attempt && attempt.password instanceof Uint8Array) attempt.password.fill(0);
      })
    );
  };

  /**
   * Goes back into ssh2 in a task of its own: Deno may run promise reactions while ssh2 is inside a call. What ssh2 throws
   * there would end the process; it ends the connection.
   */
  readonly #later = (work: () => void): void => {
    setImmediate(() => {
      try {
        work();
      } catch (error) {
        this.#client?.emit("error", error);
        this.#client?.end();
      }
    });
  };

  attach(client: any): void {
    this.#client = client;
    client.once("close", () => this.#ended.abort());
    const protocol = client._protocol;
    signAtOnce(protocol, () => this.#keys.open, this.#later);
    const onPayload = protocol._onPayload;
    protocol._onPayload = (payload: Uint8Array) => {
      if (payload[0] === USERAUTH_FAILURE) this.#hear(payload);
      return onPayload(payload);
    };
    // A key that the agent or a person refuses to use is no end: the next one is tried.
    const emit = client.emit;
    client.emit = (event: string, ...args: any[]) => {
      if (event === "error" && args[0]?.level === "agent") return true;
      return emit.call(client, event, ...args);
    };
    client.on("change password", () => {
      client.emit(
        "error",
        new LinkError("auth-failed", {
          what: "Cannot log in",
          where: this.#context.target.where,
          why: "the server wants the password changed first",
          fix: "log in once with ssh and change it",
          outcome: "not-started",
        }),
      );
      client.end();
    });
  }

  /** byte 51 · name-list methods that can continue · boolean partial success */
  #hear(payload: Uint8Array): void {
    const reader = new Reader(payload, 1);
    this.#left = reader.nameList();
    this.#partial = reader.boolean();
  }

  /** One factor is behind us: keys may be offered again. */
  #advance(): void {
    this.#partial = false;
    this.#accepted.push(this.#last);
    this.#keys.restart();
  }

  async #attempt(): Promise<Attempt> {
    if (++this.#attempts > MAX_ATTEMPTS) return false;
    for (const method of this.#context.target.authenticationMethods) {
      // What the server allows is not known before the first answer: keys are offered all the same, as that saves the
      // round trip of asking; but nobody is asked for a password that may not be wanted.
      if (this.#left ? !this.#left.includes(method) : method !== "publickey") continue;
      const attempt = await this.#attemptWith(method);
      if (attempt) {
        this.#last = method;
        return attempt;
      }
    }
    if (this.#left === undefined && !this.#askedNone) {
      this.#askedNone = true;
      return { type: "none", username: this.#context.target.user };
    }
    return false;
  }

  async #attemptWith(method: string): Promise<Attempt> {
    switch (method) {
      case "publickey":
        return await this.#keys.next();
      case "password":
        return await this.#questions.password();
      case "keyboard-interactive":
        return this.#questions.dialogue();
      default:
        return false;
    }
  }

  failure(cause: Error): LinkError {
    if (cause instanceof LinkError) return cause;
    return authFailure(this.#context.target, {
      cause,
      tried: this.#context.tried,
      accepted: this.#accepted,
      allowed: this.#left ?? [],
      canAsk: this.#context.canAsk,
    });
  }
}
