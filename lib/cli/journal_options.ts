import { UsageError } from "../base/errors.ts";
import type { DoubtPolicy, ResumeScope } from "../job/resume.ts";
import { isRunId } from "../job/journal_place.ts";
import type { JournalState } from "../job/journal_record.ts";
import { type CommandLine, type OptionSpec, usage } from "./arguments.ts";

/** Options of `run` about its journal. */
export const journalOptionSpecs: readonly OptionSpec[] = [
  { name: "resume", kind: "maybe" },
  { name: "retry-failed", kind: "maybe" },
  { name: "retry-unknown", kind: "flag" },
  { name: "no-journal", kind: "flag" },
];

/** The lines about them for the command's help. */
export const journalOptionHelp = `\
  --resume[=RUN]         go on with a run that broke off or failed: each host at its first step not
                         known to have succeeded; default: the newest such run (of the task)
  --retry-failed[=RUN]   the same, on its failed and unreachable hosts alone
  --retry-unknown        with these: run steps again that may have run when the run broke off
  --no-journal           keep no journal; such a run cannot be resumed`;

/** What a command line says about going on with an earlier run. */
export interface ResumeRequest {
  readonly scope: ResumeScope;
  /** Undefined: the newest that is not finished. */
  readonly id: string | undefined;
  /** The task as it was named, if it was. */
  readonly task: string | undefined;
  readonly policy: DoubtPolicy;
}

/** Undefined for a new run. */
export function resumeRequestOf(line: CommandLine): ResumeRequest | undefined {
  const resume = line.flag("resume");
  const retryFailed = line.flag("retry-failed");
  const policy: DoubtPolicy = line.flag("retry-unknown") ? "retry" : "fail";
  if (!resume && !retryFailed) {
    if (policy === "fail") return undefined;
    throw usage("run", "--retry-unknown", "it goes with --resume or --retry-failed");
  }
  if (resume && retryFailed) throw usage("run", "--retry-failed", "it goes without --resume");
  if (line.flag("no-journal")) throw usage("run", "--no-journal", "a run is resumed from its journal");
  const words = [...line.words, ...line.rest];
  const given = line.text(resume ? "resume" : "retry-failed") || undefined;
  if (given !== undefined && !isRunId(given)) {
    throw usage("run", given, "that is not the name of a run", "carpool runs lists them");
  }
  // `--resume 20261121-140501-x7k2` reads naturally, though options with an optional value take it behind `=`.
  const [named, ...more] = given === undefined && isRunId(words[0] ?? "") ? words : [given, ...words];
  if (more.length > 1) throw usage("run", more[1]!, "one task at a time");
  return { scope: resume ? "unfinished" : "failed", id: named, task: more[0], policy };
}

/** The options of a line as they can be given again; of variables only the names. */
export function argsToKeep(
  line: CommandLine,
  specs: readonly OptionSpec[],
): { readonly args: readonly string[]; readonly vars: readonly string[] } {
  const own = new Set([
    ...journalOptionSpecs.map(({ name }) => name),
    "dry-run",
    "diff",
    "check-guards",
    "help",
  ]);
  // How a run is shown is up to whoever looks.
  const shown = new Set(["output", "report", "verbose"]);
  const args: string[] = [];
  const vars: string[] = [];
  for (const { name, kind } of specs) {
    if (own.has(name) || shown.has(name)) continue;
    if (name === "var") {
      vars.push(...line.list(name).map((pair) => pair.split("=", 1)[0]!));
      continue;
    }
    if (kind === "flag") {
      for (let i = 0; i < line.count(name); i++) args.push(`--${name}`);
    } else if (kind === "list") args.push(...line.list(name).map((value) => `--${name}=${value}`));
    else if (line.text(name) !== undefined) args.push(`--${name}=${line.text(name)}`);
  }
  return { args, vars };
}

/** A line on top of an earlier one: what it gives counts, the rest comes from there. */
export function overlay(line: CommandLine, earlier: CommandLine): CommandLine {
  return {
    words: earlier.words,
    rest: [],
    flag: (name) => line.flag(name) || earlier.flag(name),
    text: (name) => line.text(name) ?? earlier.text(name),
    list: (name) => line.list(name).length > 0 ? line.list(name) : earlier.list(name),
    count: (name) => line.count(name) || earlier.count(name),
  };
}

/** Throws where a resumed run would be planned with other variables than before. */
export function checkVars(line: CommandLine, { run }: JournalState): void {
  const given = new Set(line.list("var").map((pair) => pair.split("=", 1)[0]));
  const missing = run.vars.filter((name) => !given.has(name));
  if (missing.length === 0) return;
  throw new UsageError({
    what: "Cannot resume the run",
    where: run.id,
    why: `it was given ${missing.map((name) => `--var ${name}`).join(", ")}, and a journal keeps no values`,
    fix: `add ${missing.map((name) => `--var ${name}=…`).join(" ")}`,
  });
}
