import { Buffer } from "node:buffer";
import { printable } from "../target/printable.ts";
import type { Attempt, AuthContext } from "./auth_context.ts";

/** Ways to log in by answering: a password (RFC 4252 §8), a dialogue of the server's choice (RFC 4256). */
export class AuthQuestions {
  readonly #context: AuthContext;
  #passwords = 0;
  #dialogues = 0;
  #dialogueSeen = true;
  #givenUp = false;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  async password(): Promise<Attempt> {
    if (
      !this.#context.canAsk || this.#givenUp ||
      this.#passwords >= this.#context.target.numberOfPasswordPrompts
    ) {
      return false;
    }
    const { user, host, hostKeyAlias } = this.#context.target;
    const again = this.#passwords++ === 0 ? "" : "Permission denied, please try again.\n";
    const password = await this.#context.prompter.secret(
      `${again}${user}@${hostKeyAlias ?? host}'s password: `,
      this.#context.signal,
    );
    if (password === null) {
      this.#givenUp = true;
      return false;
    }
    this.#context.tried.push("password");
    return { type: "password", username: user, password: Buffer.from(password) };
  }

  dialogue(): Attempt {
    if (
      !this.#context.canAsk || this.#givenUp ||
      this.#dialogues >= this.#context.target.numberOfPasswordPrompts
    ) {
      return false;
    }
    if (!this.#dialogueSeen) return false; // the server had nothing to ask the last time
    this.#dialogues++;
    this.#dialogueSeen = false;
    this.#context.tried.push("keyboard-interactive");
    return { type: "keyboard-interactive", username: this.#context.target.user, prompt: this.#converse };
  }

  /** RFC 4256 §3.2 */
  readonly #converse = (
    name: string,
    instructions: string,
    _language: string,
    prompts: readonly { readonly prompt: string; readonly echo?: boolean }[],
    finish: (answers: string[]) => void,
  ): void => {
    this.#dialogueSeen = true;
    this.#answer([name, instructions], prompts).catch(() => prompts.map(() => ""))
      .then((answers) => this.#context.later(() => finish(answers)));
  };

  async #answer(
    words: readonly string[],
    prompts: readonly { readonly prompt: string; readonly echo?: boolean }[],
  ): Promise<string[]> {
    for (const text of words) if (text.trim() !== "") this.#context.prompter.notice(printable(text));
    const { user, host, hostKeyAlias } = this.#context.target;
    const answers: string[] = [];
    for (const { prompt, echo } of prompts) {
      // Who is asking stands before what a server chose to ask.
      const question = `(${user}@${hostKeyAlias ?? host}) ${printable(prompt)}`;
      const ask = echo ? this.#context.prompter.line : this.#context.prompter.secret;
      const answer = this.#givenUp
        ? null
        : await ask.call(this.#context.prompter, question, this.#context.signal);
      if (answer === null) this.#givenUp = true;
      answers.push(answer ?? "");
    }
    return answers;
  }
}
