import type { Prompter } from "../../lib/target/prompter.ts";

/** Answers from a list, and remembers what was asked and said. */
export class ScriptedPrompter implements Prompter {
  readonly interactive = true;
  readonly asked: { readonly kind: "secret" | "line"; readonly prompt: string }[] = [];
  readonly notices: string[] = [];
  readonly #answers: (string | null)[];

  constructor(...answers: (string | null)[]) {
    this.#answers = answers;
  }

  secret(prompt: string): Promise<string | null> {
    this.asked.push({ kind: "secret", prompt });
    return Promise.resolve(this.#answers.shift() ?? null);
  }

  line(prompt: string): Promise<string | null> {
    this.asked.push({ kind: "line", prompt });
    return Promise.resolve(this.#answers.shift() ?? null);
  }

  notice(message: string): void {
    this.notices.push(message);
  }
}
