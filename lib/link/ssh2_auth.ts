// deno-lint-ignore-file no-explicit-any -- the boundary to ssh2
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { LinkError } from "../base/errors.ts";
import { identitiesOf, type Identity } from "../target/identities.ts";
import { printable } from "../target/printable.ts";
import type { Prompter } from "../target/prompter.ts";
import { fingerprint } from "../target/public_key.ts";
import type { Target } from "../target/target.ts";
import { Reader } from "../wire/reader.ts";
import type { PublicKey } from "../target/identity_file.ts";
import { authFailure } from "./auth_failure.ts";
import type { PrivateKey } from "./private_key.ts";
import {
  agentForOneKey,
  listAgentKeys,
  publicKeyFrom,
  readKeyFile,
  type Ssh2Agent,
  type Ssh2Key,
} from "./ssh2_keys.ts";

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

type Attempt = Readonly<Record<string, unknown>> | false;

class Authenticator implements Authentication {
  readonly #target: Target;
  readonly #prompter: Prompter;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  /** Started at once: agent and files are read while keys are exchanged. */
  readonly #offers: Promise<Offers>;
  /** What was tried, or why not, in order. */
  readonly #tried: string[] = [];
  /** Methods with which the server was content, though not alone. */
  readonly #accepted: string[] = [];
  /** Methods that can continue, as the server last said; undefined while it has not. */
  #left: readonly string[] | undefined;
  #client: any;
  #partial = false;
  #last = "";
  #next = 0;
  #attempts = 0;
  #askedNone = false;
  #passwords = 0;
  #dialogues = 0;
  #dialogueSeen = true;
  #givenUp = false;

  constructor(target: Target, prompter: Prompter, signal: AbortSignal | undefined) {
    this.#target = target;
    this.#prompter = prompter;
    this.#signal = signal ? AbortSignal.any([signal, this.#ended.signal]) : this.#ended.signal;
    this.#offers = prepareOffers(target, (path, why) => this.#skip(path, why));
    this.#offers.catch(() => {}); // told when the first attempt is due
  }

  readonly authHandler: Authentication["authHandler"] = (left, partial, next) => {
    // ssh2 passes on nothing of what a server says to a key of the agent: attach() sees it.
    this.#left ??= left ?? undefined;
    if (this.#client === undefined && left) [this.#left, this.#partial] = [left, partial ?? false];
    if (this.#partial) this.#advance();
    this.#attempt().catch((error): Attempt => {
      this.#tried.push(error instanceof Error ? error.message : String(error));
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
        this.#failure("the server wants the password changed first", "log in once with ssh and change it"),
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
    this.#next = 0;
  }

  async #attempt(): Promise<Attempt> {
    if (++this.#attempts > MAX_ATTEMPTS) return false;
    for (const method of this.#target.authenticationMethods) {
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
      return { type: "none", username: this.#target.user };
    }
    return false;
  }

  async #attemptWith(method: string): Promise<Attempt> {
    switch (method) {
      case "publickey":
        return await this.#offerKey();
      case "password":
        return await this.#givePassword();
      case "keyboard-interactive":
        return this.#startDialogue();
      default:
        return false;
    }
  }

  async #offerKey(): Promise<Attempt> {
    const offers = await this.#offers;
    while (this.#next < offers.identities.length) {
      const attempt = await this.#offer(offers, offers.identities[this.#next++]);
      if (attempt) return attempt;
    }
    return false;
  }

  async #offer({ ssh2, agent, agentKeys }: Offers, identity: Identity): Promise<Attempt> {
    const username = this.#target.user;
    if (identity.source === "agent") {
      const held = agentKeys.find(({ blob }) =>
        blob === identity.key!.blob || same(blob, identity.key!.blob)
      );
      if (agent === undefined || held === undefined) return false;
      this.#tried.push(
        `agent key ${await fingerprint(held.blob)}${identity.path ? ` (${this.#short(identity.path)})` : ""}`,
      );
      const sign = (data: Uint8Array, hash?: string) => signWithAgent(agent, held.key, data, hash);
      return { type: "agent", username, agent: agentForOneKey(ssh2, held.key, sign, this.#later) };
    }
    const path = identity.path!;
    const file = await readKeyFile(ssh2, path);
    if (file.state === "missing") {
      if (identity.explicit) this.#skip(path, "there is no such file");
      return false;
    }
    if (file.state === "unusable") {
      this.#skip(path, file.why, true);
      return false;
    }
    if (file.state === "open") return this.#offerFile(ssh2, path, file.key, () => Promise.resolve(file.key));
    if (!this.#canAsk) {
      this.#skip(path, "it is encrypted and there is nobody to ask");
      return false;
    }
    let opened: Promise<PrivateKey | undefined> | undefined;
    const open = () => opened ??= this.#unlock(path, file.unlock);
    // Where the public key is known, the passphrase is only asked for once the server wants this key.
    const half = identity.key ?? await open();
    return half !== undefined && this.#offerFile(ssh2, path, half, open);
  }

  #offerFile(
    ssh2: any,
    path: string,
    half: PublicKey,
    open: () => Promise<PrivateKey | undefined>,
  ): Attempt {
    const publicKey = publicKeyFrom(ssh2, half.type, half.blob);
    if (publicKey === undefined) {
      this.#skip(path, `keys of type ${half.type} are not supported`);
      return false;
    }
    this.#tried.push(`publickey ${this.#short(path)}`);
    const sign = async (data: Uint8Array, hash?: string) => {
      const key = await open();
      if (key === undefined) throw this.#failure("the passphrase was not given"); // said, and the next key is tried
      return key.sign(data, hash);
    };
    const agent = agentForOneKey(ssh2, publicKey, sign, this.#later);
    return { type: "agent", username: this.#target.user, agent };
  }

  async #unlock(
    path: string,
    unlock: (passphrase: string) => PrivateKey | undefined,
  ): Promise<PrivateKey | undefined> {
    for (let attempt = 0; attempt < Math.max(1, this.#target.numberOfPasswordPrompts); attempt++) {
      const again = attempt === 0 ? "" : "Bad passphrase, try again. ";
      const passphrase = await this.#prompter.secret(
        `${again}Enter passphrase for key '${path}': `,
        this.#signal,
      );
      // An empty answer means: not this key.
      if (passphrase === null || passphrase === "") {
        this.#skip(path, "its passphrase was not given");
        return undefined;
      }
      const key = unlock(passphrase);
      if (key) return key;
    }
    this.#skip(path, "the passphrase was wrong");
    return undefined;
  }

  async #givePassword(): Promise<Attempt> {
    if (!this.#canAsk || this.#givenUp || this.#passwords >= this.#target.numberOfPasswordPrompts) {
      return false;
    }
    const { user, host, hostKeyAlias } = this.#target;
    const again = this.#passwords++ === 0 ? "" : "Permission denied, please try again.\n";
    const password = await this.#prompter.secret(
      `${again}${user}@${hostKeyAlias ?? host}'s password: `,
      this.#signal,
    );
    if (password === null) {
      this.#givenUp = true;
      return false;
    }
    this.#tried.push("password");
    return { type: "password", username: user, password: Buffer.from(password) };
  }

  #startDialogue(): Attempt {
    if (!this.#canAsk || this.#givenUp || this.#dialogues >= this.#target.numberOfPasswordPrompts) {
      return false;
    }
    if (!this.#dialogueSeen) return false; // the server had nothing to ask the last time
    this.#dialogues++;
    this.#dialogueSeen = false;
    this.#tried.push("keyboard-interactive");
    return { type: "keyboard-interactive", username: this.#target.user, prompt: this.#dialogue };
  }

  /** RFC 4256 §3.2 */
  readonly #dialogue = (
    name: string,
    instructions: string,
    _language: string,
    prompts: readonly { readonly prompt: string; readonly echo?: boolean }[],
    finish: (answers: string[]) => void,
  ): void => {
    this.#dialogueSeen = true;
    this.#answer([name, instructions], prompts).catch(() => prompts.map(() => ""))
      .then((answers) => this.#later(() => finish(answers)));
  };

  async #answer(
    words: readonly string[],
    prompts: readonly { readonly prompt: string; readonly echo?: boolean }[],
  ): Promise<string[]> {
    for (const text of words) if (text.trim() !== "") this.#prompter.notice(printable(text));
    const { user, host, hostKeyAlias } = this.#target;
    const answers: string[] = [];
    for (const { prompt, echo } of prompts) {
      // Who is asking stands before what a server chose to ask.
      const question = `(${user}@${hostKeyAlias ?? host}) ${printable(prompt)}`;
      const ask = echo ? this.#prompter.line : this.#prompter.secret;
      const answer = this.#givenUp ? null : await ask.call(this.#prompter, question, this.#signal);
      if (answer === null) this.#givenUp = true;
      answers.push(answer ?? "");
    }
    return answers;
  }

  get #canAsk(): boolean {
    return this.#prompter.interactive && !this.#target.batchMode;
  }

  #skip(path: string, why: string, say = false): void {
    this.#tried.push(`${this.#short(path)} not used: ${why}`);
    if (say) this.#prompter.notice(`${path}: not used: ${why}`);
  }

  /** A path as people write it. */
  #short(path: string): string {
    const home = this.#target.environment.HOME;
    return home && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
  }

  failure(cause: Error): LinkError {
    if (cause instanceof LinkError) return cause;
    return authFailure(this.#target, {
      cause,
      tried: this.#tried,
      accepted: this.#accepted,
      allowed: this.#left ?? [],
      canAsk: this.#canAsk,
    });
  }

  #failure(why: string, fix?: string): LinkError {
    return new LinkError("auth-failed", {
      what: "Cannot log in",
      where: this.#target.where,
      why,
      fix,
      outcome: "not-started",
    });
  }
}

interface Offers {
  readonly ssh2: any;
  readonly agent: Ssh2Agent | undefined;
  readonly agentKeys: Exclude<Awaited<ReturnType<typeof listAgentKeys>>, Error>;
  readonly identities: readonly Identity[];
}

async function prepareOffers(target: Target, skip: (path: string, why: string) => void): Promise<Offers> {
  const { ssh2 } = await import("../deps/ssh2.ts");
  if (!target.authenticationMethods.includes("publickey")) {
    return { ssh2, agent: undefined, agentKeys: [], identities: [] };
  }
  const agent: Ssh2Agent | undefined = target.identityAgent && new ssh2.OpenSSHAgent(target.identityAgent);
  const listed = agent ? await listAgentKeys(agent) : [];
  if (listed instanceof Error) skip(`agent ${target.identityAgent}`, listed.message);
  const agentKeys = listed instanceof Error ? [] : listed;
  return { ssh2, agent, agentKeys, identities: await identitiesOf(target, agentKeys) };
}

function signWithAgent(agent: Ssh2Agent, key: Ssh2Key, data: Uint8Array, hash?: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    agent.sign(key, data, { hash }, (error, signature) => {
      if (error || !signature) reject(error ?? new Error("the agent gave no signature"));
      else resolve(signature);
    });
  });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
