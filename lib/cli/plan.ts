import { formatDuration } from "../base/format_duration.ts";
import { loadJob } from "../job/load.ts";
import { actionsOf, type Plan, type PlannedAction, type PlannedStep } from "../job/plan.ts";
import { makePlan } from "../job/make_plan.ts";
import { plainText } from "../report/plain_text.ts";
import { helpSpec, readArguments } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { taskOf, taskOptionHelp, taskOptionSpecs } from "./task_options.ts";
import { outputOf, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool plan <task> [options]: what run would do, touching nothing

Reads the task and the inventory, resolves the hosts, fills in every step and looks for local files.
Values of variables are not shown.

${taskOptionHelp}
  --output FORMAT        auto, lines, or json

Examples:
  carpool plan deploy
  carpool plan uptime --hosts 'web[01-20]' --output json
`;

/** `carpool plan`. */
export async function plan(args: readonly string[]): Promise<number> {
  const line = await readArguments("plan", args, [...taskOptionSpecs, outputSpec, helpSpec]);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const { task, parallel, options } = taskOf("plan", line);
  const output = outputOf("plan", line);
  const made = await makePlan(await loadJob(task), options);
  const shown = parallel === undefined ? made : { ...made, strategy: { ...made.strategy, parallel } };
  write(
    output === "json" ? `${JSON.stringify(withoutValues(shown), null, 2)}\n` : plainText(describe(shown)),
    "stdout",
  );
  return exitStatus.ok;
}

function withoutValues(made: Plan) {
  const hide = (action: PlannedAction) =>
    action.kind === "exec" ? { ...action, env: Object.keys(action.env) } : action;
  const hosts = made.hosts.map((host) => ({
    ...host,
    steps: host.steps.map((step) =>
      step.kind === "parallel" ? { ...step, steps: step.steps.map(hide) } : hide(step)
    ),
  }));
  return { ...made, hosts };
}

function describe(made: Plan): string {
  // Hosts that get the same steps, word for word, are told together.
  const groups = new Map<string, string[]>();
  for (const { host, steps } of made.hosts) {
    const text = steps.map((step) => describeStep(step)).join("\n");
    groups.set(text, [...groups.get(text) ?? [], host]);
  }
  const steps = actionsOf(made.hosts[0]?.steps ?? []).length;
  const { parallel, batch, maxFailures, maxUnreachable } = made.strategy;
  const limits = [
    `${Math.min(parallel, made.hosts.length)} at once`,
    ...(batch === undefined ? [] : [`batches of ${batch}`]),
    ...(maxFailures === undefined ? [] : [`stops beyond ${maxFailures} failed`]),
    ...(maxUnreachable === undefined ? [] : [`stops beyond ${maxUnreachable} unreachable`]),
  ].join(", ");
  const file = made.file === undefined ? "" : ` (${made.file})`;
  const parts = [...groups].map(([text, hosts]) => `${hosts.join(", ")}\n${text}\n`);
  return `${made.job}${file}: hosts ${made.hosts.length}, steps ${steps}, ${limits}\n\n${parts.join("\n")}`;
}

function describeStep(step: PlannedStep, indent = "  "): string {
  if (step.kind === "parallel") {
    const inner = step.steps.map((child) => describeStep(child, `${indent}  `));
    return [`${indent}${step.step} ${step.title}`, ...inner].join("\n");
  }
  const does = step.kind === "exec"
    ? `exec ${step.command.trim()}`
    : `${step.kind} ${step.from} to ${step.to}`;
  const notes = [
    ...(step.kind === "exec" && step.cwd !== undefined ? [`in ${step.cwd}`] : []),
    ...(step.kind === "exec" && Object.keys(step.env).length > 0
      ? [`env ${Object.keys(step.env).join(" ")}`]
      : []),
    ...(step.kind !== "fetch" && step.creates !== undefined ? [`skipped where ${step.creates} exists`] : []),
    ...(step.timeoutMs === undefined ? [] : [`timeout ${formatDuration(step.timeoutMs)}`]),
    ...(step.retries === 0 ? [] : [`retries ${step.retries}`]),
  ];
  const [first, ...more] = [
    ...(step.name === undefined ? [] : [step.name]),
    ...does.split("\n"),
    ...(notes.length ? [`[${notes.join("; ")}]`] : []),
  ];
  const pad = " ".repeat(step.step.length + 1);
  return [`${indent}${step.step} ${first}`, ...more.map((one) => `${indent}${pad}${one}`)].join("\n");
}
