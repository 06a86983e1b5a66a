import { takeTerminal } from "../base/terminal_turn.ts";
import { findRun, RunJournal } from "../job/journal.ts";
import type { JobConnect } from "../job/job_host.ts";
import { loadJob } from "../job/load.ts";
import type { Plan } from "../job/planned.ts";
import { connectWith, runJob } from "../job/run_job.ts";
import { type CommandLine, helpSpec, type OptionSpec, readArguments, usage } from "./arguments.ts";
import { exitStatus, exitStatusOf } from "./exit_status.ts";
import { forecastHelp, forecastSpecs } from "./forecast_options.ts";
import {
  argsToKeep,
  checkVars,
  journalOptionHelp,
  journalOptionSpecs,
  overlay,
  type ResumeRequest,
  resumeRequestOf,
} from "./journal_options.ts";
import { JournalledRun, leftOf, type Resumed } from "./run_with_journal.ts";
import { targetOptionHint, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { taskOf, taskOptionHelp, taskOptionSpecs } from "./task_options.ts";
import { reportHelp, reportSpecs, runReporter } from "./run_reporter.ts";
import { Interrupts } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool run <task> [options]: run a job over its hosts, one connection each
carpool run --resume[=RUN]: go on with a run that broke off or failed

The task is a name in tasks/ (.yaml, .yml, .ts) or a path. Hosts run in parallel; on each host the
steps run in order, until the first that fails. Local paths are relative to the current directory.

${taskOptionHelp}
${reportHelp}
  --no-fuse              send every step by itself, not with its neighbours in one session
  --dry-run              what it would do, as carpool plan tells it; also of --resume
${forecastHelp}

${journalOptionHelp}

${targetOptionHint}

Ctrl-C ends the remote commands too; a second one leaves at once.

Examples:
  carpool run uptime --hosts 'web[01-20]'
  carpool run tasks/deploy.yaml --hosts @web --parallel 5
  carpool run deploy --output json > run.jsonl
  carpool run --resume
`;

const specs: readonly OptionSpec[] = [
  ...taskOptionSpecs,
  ...journalOptionSpecs,
  ...reportSpecs,
  { name: "no-fuse", kind: "flag" },
  { name: "dry-run", kind: "flag" },
  ...forecastSpecs,
  ...targetOptionSpecs,
  helpSpec,
];

/** `carpool run`. */
export async function run(args: readonly string[]): Promise<number> {
  const given = await readArguments("run", args, specs);
  if (given.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  for (const name of ["check-guards", "diff"]) {
    if (!given.flag(name) || given.flag("dry-run")) continue;
    throw usage("run", `--${name}`, "it goes with --dry-run", `carpool plan <task> --${name} does the same`);
  }
  const request = resumeRequestOf(given);
  const resumed = request && await takeUp(request, given);
  using _held = resumed?.journal;
  const line = resumed?.line ?? given;
  const { task, parallel, options, yes } = taskOf("run", line);
  const target = targetOptionsOf("run", line);
  const job = await loadJob(task);
  if (line.flag("dry-run")) {
    const [{ makePlan }, { showForecast }] = await Promise.all([
      import("../job/make_plan.ts"),
      import("./dry_run.ts"),
    ]);
    using interrupts = new Interrupts();
    const { configFile } = target;
    const made = await makePlan(job, { ...options, configFile });
    const wanted = parallel === undefined ? made : { ...made, strategy: { ...made.strategy, parallel } };
    const { plan, settled } = resumed ? await leftOf(wanted, resumed) : { plan: wanted, settled: undefined };
    const connect = connectTo(target)(made);
    return await showForecast(plan, line, { command: "run", connect, settled, signal: interrupts.signal });
  }
  using reporter = await runReporter("run", line, "run");
  using interrupts = new Interrupts(() => {
    using _turn = takeTerminal();
    write("carpool: ending the remote commands; Ctrl-C again leaves at once\n", "stderr");
  });
  const { signal } = interrupts;
  await using journalled = line.flag("no-journal")
    ? undefined
    : new JournalledRun({ ...argsToKeep(line, specs), signal, connect: connectTo(target) }, resumed);
  const fuse = !line.flag("no-fuse");
  const running = runJob(job, {
    ...options,
    ...target,
    parallel,
    yes,
    fuse,
    signal,
    prepare: journalled?.prepare,
  });
  for await (const event of running) {
    reporter.event(event);
    journalled?.tellHowToGoOn(event);
  }
  return exitStatusOf(await running.result);
}

/** Connects to the hosts of a plan, as the inventory says. */
function connectTo(target: Parameters<typeof connectWith>[0]): (plan: Plan) => JobConnect {
  return (plan) => connectWith(target, new Map(plan.hosts.map((entry) => [entry.host, entry])));
}

/** The run that is meant, and the command line that it was begun with, under the one that was given now. */
async function takeUp(
  request: ResumeRequest,
  given: CommandLine,
): Promise<Resumed & { readonly line: CommandLine }> {
  const task = request.task === undefined ? undefined : (await loadJob(request.task)).file;
  const id = await findRun({ id: request.id, task: task && await Deno.realPath(task) });
  const { journal, state } = await RunJournal.reopen(id);
  try {
    checkVars(given, state);
    const { run } = state;
    if (run.task === null) {
      throw usage("run", id, "its job was written in code", "resume it from there");
    }
    // Everything that the run was told by relative paths is found again.
    Deno.chdir(run.cwd);
    const earlier = await readArguments("run", [run.task, ...run.args], specs);
    return { request, journal, state, line: overlay(given, earlier) };
  } catch (error) {
    journal[Symbol.dispose]();
    throw error;
  }
}
