import { loadJob } from "../job/load.ts";
import { runJob } from "../job/run_job.ts";
import { helpSpec, readArguments } from "./arguments.ts";
import { exitStatus, exitStatusOf } from "./exit_status.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { taskOf, taskOptionHelp, taskOptionSpecs } from "./task_options.ts";
import { Interrupts, outputOf, outputSpec, reporterFor } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool run <task> [options]: run a job over its hosts, one connection each

The task is a name in tasks/ (.yaml, .yml, .ts) or a path. Hosts run in parallel; on each host the
steps run in order, until the first that fails. Local paths are relative to the current directory.

${taskOptionHelp}
  --output FORMAT        auto, lines, or json (one event a line)

${targetOptionHelp}

Examples:
  carpool run uptime --hosts 'web[01-20]'
  carpool run tasks/deploy.yaml --hosts @web --parallel 5
  carpool run deploy --output json > run.jsonl
`;

/** `carpool run`. */
export async function run(args: readonly string[]): Promise<number> {
  const specs = [...taskOptionSpecs, outputSpec, ...targetOptionSpecs, helpSpec];
  const line = await readArguments("run", args, specs);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const { task, parallel, options } = taskOf("run", line);
  const target = targetOptionsOf("run", line);
  const reporter = await reporterFor(outputOf("run", line), { style: "run", verbose: line.flag("verbose") });
  const job = await loadJob(task);
  using interrupts = new Interrupts();
  const running = runJob(job, { ...options, ...target, parallel, signal: interrupts.signal });
  for await (const event of running) reporter.event(event);
  return exitStatusOf(await running.result);
}
