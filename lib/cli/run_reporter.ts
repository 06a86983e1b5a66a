import type { RunEvent } from "../base/run_event.ts";
import { gathered } from "../report/gathered.ts";
import { type Reporter, together } from "../report/reporter.ts";
import { type CommandLine, type OptionSpec, usage } from "./arguments.ts";
import { outputSpec, wantsColor } from "./terminal.ts";
import { write } from "./write.ts";

/** The options that say how a run over hosts is shown. */
export const reportSpecs: readonly OptionSpec[] = [outputSpec, { name: "report", kind: "text" }];

/** The lines about them for a command's help. */
export const reportHelp = `\
  --output FORMAT        auto: a live view on a terminal, plain lines elsewhere (GitHub annotations
                         on GitHub Actions); lines; json: one event a line (docs/events.md); junit
  --report FILE.html     also write one self-contained page about the run`;

const outputs = ["auto", "lines", "json", "junit"] as const;

/**
 * Shows a run as the options say; only what is wanted is loaded. Must be disposed: the terminal's cursor is given back and
 * the report written then, and also when this program exits or an error ends it.
 *
 * @throws {UsageError} before anything is contacted, where an option cannot be used or the report not be written.
 */
export async function runReporter(
  command: string,
  line: CommandLine,
  style: "run" | "exec",
): Promise<RunReporter> {
  const output = runOutputOf(command, line);
  const file = line.text("report");
  const reporters: Reporter[] = [];
  if (file !== undefined) {
    const { reportFile } = await import("./report_file.ts");
    reporters.push(reportFile(command, file));
  }
  // Last: it may take the terminal, and what fails before that has nothing to give back.
  reporters.push(await shownBy(output, { style, verbose: line.flag("verbose") }));
  return new RunReporter(together(reporters));
}

/** What `--output` says of a run; `auto` where it says nothing. */
export function runOutputOf(command: string, line: CommandLine): typeof outputs[number] {
  const text = line.text("output") ?? "auto";
  const output = outputs.find((one) => one === text);
  if (output) return output;
  throw usage(command, "--output", `found ${JSON.stringify(text)}; auto, lines, json or junit is allowed`);
}

/** A reporter that is closed whatever happens. */
class RunReporter implements Disposable {
  readonly #reporter: Reporter;
  readonly #close = () => this.#reporter.close?.();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
    // A second Ctrl-C exits at once, and a mistake of ours ends the program: both leave a terminal without its cursor.
    for (const type of ends) addEventListener(type, this.#close);
  }

  event(event: RunEvent): void {
    this.#reporter.event(event);
  }

  [Symbol.dispose](): void {
    for (const type of ends) removeEventListener(type, this.#close);
    this.#close();
  }
}

const ends = ["unload", "unhandledrejection", "error"] as const;

interface Shown {
  readonly style: "run" | "exec";
  readonly verbose: boolean;
}

async function shownBy(output: typeof outputs[number], options: Shown): Promise<Reporter> {
  switch (output) {
    case "json": {
      const { jsonLines } = await import("../report/json_lines.ts");
      return gathered(write, jsonLines);
    }
    case "junit":
      return (await import("../report/junit.ts")).junit(write);
  }
  if (output === "auto" && variable("GITHUB_ACTIONS") === "true") {
    const { github } = await import("../report/github.ts");
    return gathered(write, (sink) => github(sink));
  }
  if (output === "auto" && wantsLive(options.style)) {
    const [{ live }, { terminal, clock }] = await Promise.all([
      import("../report/live.ts"),
      import("./live_terminal.ts"),
    ]);
    return live(terminal, clock, { ...options, color: wantsColor("stdout") });
  }
  const color = wantsColor(options.style === "run" ? "stdout" : "stderr");
  const { lines } = await import("../report/lines.ts");
  return gathered(write, (sink) => lines(sink, { ...options, color }));
}

/** A terminal that can move its cursor; `exec` writes to both streams, so both must be one. */
function wantsLive(style: "run" | "exec"): boolean {
  if (!Deno.stdout.isTerminal() || (style === "exec" && !Deno.stderr.isTerminal())) return false;
  return variable("TERM") !== "dumb";
}

/** Of the environment; a program without the permission to read it is shown as any other. */
function variable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
