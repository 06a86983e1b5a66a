import { connectWith } from "../job/run_job.ts";
import { loadJob } from "../job/load.ts";
import { makePlan } from "../job/make_plan.ts";
import { helpSpec, readArguments } from "./arguments.ts";
import { showForecast } from "./dry_run.ts";
import { forecastHelp, forecastSpecs } from "./forecast_options.ts";
import { exitStatus } from "./exit_status.ts";
import { targetOptionHint, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { taskOf, taskOptionHelp, taskOptionSpecs } from "./task_options.ts";
import { Interrupts, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool plan <task> [options]: what run would do, touching nothing

Reads the task and the inventory, resolves the hosts, fills in every step and looks for local files.
Hosts are contacted only with --check-guards or --diff, and nothing is changed there. What is said of a
step is how things stand now: an earlier step may change it. Values of variables are not shown.

${taskOptionHelp}
${forecastHelp}
  --output FORMAT        auto, lines, or json

${targetOptionHint}

Examples:
  carpool plan deploy
  carpool plan deploy --check-guards --diff
  carpool plan uptime --hosts 'web[01-20]' --output json
`;

/** `carpool plan`. */
export async function plan(args: readonly string[]): Promise<number> {
  const specs = [...taskOptionSpecs, ...forecastSpecs, outputSpec, ...targetOptionSpecs, helpSpec];
  const line = await readArguments("plan", args, specs);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const { task, parallel, options } = taskOf("plan", line);
  const target = targetOptionsOf("plan", line);
  const made = await makePlan(await loadJob(task), { ...options, configFile: target.configFile });
  const shown = parallel === undefined ? made : { ...made, strategy: { ...made.strategy, parallel } };
  using interrupts = new Interrupts();
  const connect = connectWith(target, new Map(made.hosts.map((entry) => [entry.host, entry])));
  return await showForecast(shown, line, { command: "plan", connect, signal: interrupts.signal });
}
