import { type CommandLine, numberOf, type OptionSpec, usage } from "./arguments.ts";
import { hostOptionHelp, hostOptionsOf, hostOptionSpecs } from "./host_options.ts";
import type { PlanJobOptions } from "../job/make_plan.ts";

/** Options of `run` and `plan`. */
export const taskOptionSpecs: readonly OptionSpec[] = [
  { name: "hosts", kind: "list" },
  ...hostOptionSpecs,
  { name: "parallel", kind: "text" },
];

/** The lines about them for a command's help. */
export const taskOptionHelp = `\
  --hosts PATTERN        instead of the task's own hosts; may be given again
${hostOptionHelp}
  --parallel N           hosts worked on at once; default 32`;

/** The task that was named, and what the options say about planning it. */
export function taskOf(
  command: string,
  line: CommandLine,
): { readonly task: string; readonly parallel: number | undefined; readonly options: PlanJobOptions } {
  const [task, extra] = [...line.words, ...line.rest];
  if (task === undefined) throw usage(command, command, "it needs a task", `carpool ${command} <task>`);
  if (extra !== undefined) {
    throw usage(command, extra, "one task at a time", `name hosts with --hosts ${extra}`);
  }
  const hosts = line.list("hosts");
  return {
    task,
    parallel: numberOf(command, line, "parallel", 1, 10_000),
    options: { hosts: hosts.length > 0 ? hosts : undefined, ...hostOptionsOf(line) },
  };
}
