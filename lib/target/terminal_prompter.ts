import { takeTerminal } from "../base/terminal_turn.ts";
import { printable } from "./printable.ts";
import type { Prompter } from "./prompter.ts";
import { askOnStandardInput } from "./raw_terminal.ts";
import { askByShell, hasControllingTerminal } from "./shell_terminal.ts";

/** One question at a time on the one terminal of this process, whoever asks. */
let queue: Promise<unknown> = Promise.resolve();

/** Asks on the terminal; never touches standard output. */
export class TerminalPrompter implements Prompter {
  readonly interactive = true;

  secret(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.#ask(prompt, "secret", signal);
  }

  line(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.#ask(prompt, "line", signal);
  }

  notice(message: string): void {
    using _turn = takeTerminal();
    console.error(printable(message).replace(/\n$/, ""));
  }

  #ask(prompt: string, kind: "secret" | "line", signal: AbortSignal | undefined): Promise<string | null> {
    const asked = queue.then(async () => {
      signal?.throwIfAborted();
      using _turn = takeTerminal();
      const question = printable(prompt);
      const answer = await askByShell(question, kind, signal);
      return answer === undefined ? await askOnStandardInput(question, kind === "line", signal) : answer;
    });
    queue = asked.catch(() => {});
    return asked;
  }
}

/** Whether this process has a terminal to ask on. */
export function hasTerminal(): boolean {
  return (Deno.stdin.isTerminal() && Deno.stderr.isTerminal()) || hasControllingTerminal();
}
