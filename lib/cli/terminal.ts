import { type CommandLine, type OptionSpec, usage } from "./arguments.ts";

/** The option that says how a run is shown. */
export const outputSpec: OptionSpec = { name: "output", kind: "text" };

/** Whether colours are wanted: a terminal, and no NO_COLOR. */
export function wantsColor(stream: "stdout" | "stderr"): boolean {
  return Deno[stream].isTerminal() && !Deno.noColor;
}

/** What `--output` says; `auto` where it says nothing. */
export function outputOf(command: string, line: CommandLine): "auto" | "lines" | "json" {
  const output = line.text("output") ?? "auto";
  if (output === "auto" || output === "lines" || output === "json") return output;
  const allowed = "auto, lines or json is allowed";
  if (output === "junit") throw usage(command, "--output junit", "that is for run, exec and copy", allowed);
  throw usage(command, "--output", `found ${JSON.stringify(output)}; ${allowed}`);
}

/** What asks this program to end: Ctrl-C, a supervisor, a terminal that went away. */
const endings: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * While held, Ctrl-C (and SIGTERM, and SIGHUP) aborts `signal` instead of ending this program, so that remote commands
 * are ended too; a second one leaves at once.
 */
export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners: ReadonlyMap<Deno.Signal, () => void>;

  constructor(onFirst?: (signal: Deno.Signal) => void) {
    this.#listeners = new Map(endings.map((ending) => [ending, () => {
      if (this.#controller.signal.aborted) Deno.exit(130);
      this.#controller.abort(new DOMException("Interrupted", "AbortError"));
      onFirst?.(ending);
    }]));
    for (const [ending, listener] of this.#listeners) Deno.addSignalListener(ending, listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const [ending, listener] of this.#listeners) Deno.removeSignalListener(ending, listener);
  }
}
