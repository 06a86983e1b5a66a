import { takeTerminal } from "../base/terminal_turn.ts";
import { printable } from "./printable.ts";
import type { Prompter } from "./prompter.ts";

/** Longer answers are no passwords. */
const MAX_BYTES = 8192;

/** Asks through an askpass program (ssh(1), SSH_ASKPASS): a window on somebody's desktop. */
export class AskpassPrompter implements Prompter {
  readonly interactive = true;
  readonly #program: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(program: string, environment: Readonly<Record<string, string>>) {
    this.#program = program;
    // A leftover of an outer ssh would turn the question into another kind.
    const { SSH_ASKPASS_PROMPT: _, ...rest } = environment;
    this.#environment = rest;
  }

  secret(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.#ask(prompt, signal);
  }

  line(prompt: string, signal?: AbortSignal): Promise<string | null> {
    return this.#ask(prompt, signal);
  }

  notice(message: string): void {
    using _turn = takeTerminal();
    console.error(printable(message).replace(/\n$/, ""));
  }

  /** The first line of what the program prints; null when it ends with another status than 0. */
  async #ask(prompt: string, signal: AbortSignal | undefined): Promise<string | null> {
    signal?.throwIfAborted();
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(this.#program, {
        args: [printable(prompt)],
        env: { ...this.#environment },
        clearEnv: true,
        stdin: "null",
        stdout: "piped",
        stderr: "inherit",
        signal,
      }).spawn();
    } catch (error) {
      this.notice(`Cannot run ${this.#program}: ${error instanceof Error ? error.message : error}`);
      return null;
    }
    const answer = await readBounded(child.stdout);
    const { success } = await child.status;
    signal?.throwIfAborted();
    if (!success || answer === undefined) return null;
    return answer.split(/[\r\n]/)[0];
  }
}

/** All of a stream; undefined where it is too much (the rest is let go). */
async function readBounded(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
