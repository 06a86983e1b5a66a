import { type CommandLine, numberOf, type OptionSpec, usage } from "./arguments.ts";
import { hostOptionHelp, hostOptionsOf, hostOptionSpecs } from "./host_options.ts";
import type { PlanJobOptions } from "../job/make_plan.ts";

/** Options of `run` and `plan`. */
export const taskOptionSpecs: readonly OptionSpec[] = [
  { name: "hosts", kind: "list" },
  ...hostOptionSpecs,
  { name: "parallel", kind: "text" },
  { name: "var", kind: "list" },
  { name: "vars-file", kind: "list" },
  { name: "tags", kind: "list" },
  { name: "skip-tags", kind: "list" },
  { name: "yes", letter: "y", kind: "flag" },
];

/** The lines about them for a command's help. */
export const taskOptionHelp = `\
  --hosts PATTERN        instead of the task's own hosts; may be given again
${hostOptionHelp}
  --parallel N           hosts worked on at once; default 32
  --var NAME=VALUE       a variable of the task; may be given again. Seen in the process list: no secrets
  --vars-file FILE       variables from a YAML or JSON file; may be given again
  --tags A,B             only steps with one of these tags
  --skip-tags A,B        no step with one of these tags
  -y, --yes              answer what the task asks with yes, or with its defaults`;

/** The task that was named, and what the options say about planning it. */
export function taskOf(
  command: string,
  line: CommandLine,
): {
  readonly task: string;
  readonly parallel: number | undefined;
  readonly options: PlanJobOptions;
  readonly yes: boolean;
} {
  const [task, extra] = [...line.words, ...line.rest];
  if (task === undefined) throw usage(command, command, "it needs a task", `carpool ${command} <task>`);
  if (extra !== undefined) {
    throw usage(command, extra, "one task at a time", `name hosts with --hosts ${extra}`);
  }
  const hosts = line.list("hosts");
  return {
    task,
    parallel: numberOf(command, line, "parallel", 1, 10_000),
    options: {
      hosts: hosts.length > 0 ? hosts : undefined,
      ...hostOptionsOf(line),
      vars: Object.fromEntries(line.list("var").map((pair) => varOf(command, pair))),
      varsFiles: line.list("vars-file"),
      tags: namesOf(line.list("tags")),
      skipTags: namesOf(line.list("skip-tags")),
    },
    yes: line.flag("yes"),
  };
}

function varOf(command: string, pair: string): readonly [string, string] {
  const at = pair.indexOf("=");
  if (at <= 0) throw usage(command, "--var", `found ${JSON.stringify(pair)}`, "write --var NAME=VALUE");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function namesOf(lists: readonly string[]): readonly string[] {
  return lists.flatMap((list) => list.split(",").map((name) => name.trim()).filter((name) => name !== ""));
}
