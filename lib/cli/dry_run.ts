import { formatDuration } from "../base/format_duration.ts";
import { green, red, yellow } from "../deps/std_colors.ts";
import { batchesOf, stepsOf } from "../job/batches.ts";
import type { StepDiff } from "../job/diff.ts";
import type { HostShare } from "../job/job.ts";
import { forecast, type ForecastOptions, type HostForecast, type StepForecast } from "../job/dry_run.ts";
import type { Plan, PlannedAction, PlannedHost, PlannedStep } from "../job/planned.ts";
import { Redactor } from "../job/redactor.ts";
import { plainText } from "../report/plain_text.ts";
import { plural } from "../report/run_words.ts";
import type { CommandLine } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { outputOf, wantsColor } from "./terminal.ts";
import { write } from "./write.ts";

/** What {@linkcode showForecast} goes by. */
export interface ShowOptions extends Omit<ForecastOptions, "checkGuards" | "diff" | "redact"> {
  readonly command: string;
}

/** Shows what a run of the plan would do; the exit status is 4 where a host that had to be asked was not reached. */
export async function showForecast(plan: Plan, line: CommandLine, options: ShowOptions): Promise<number> {
  const output = outputOf(options.command, line);
  const redactor = new Redactor(plan.secrets);
  const redact = (text: string) => redactor.text(text);
  const asked = { ...options, checkGuards: line.flag("check-guards"), diff: line.flag("diff"), redact };
  const byHost = new Map(plan.hosts.map((host) => [host.host, host]));
  let unreached = false;
  const told: HostForecast[] = [];
  for await (const one of forecast(plan, asked)) {
    unreached ||= one.error !== undefined;
    told.push(one);
  }
  const shown = output === "json"
    ? asJson(plan, told, byHost, redact)
    : plainText(redact(heading(plan) + asText(told, byHost)));
  write(output !== "json" && wantsColor("stdout") ? coloured(shown) : shown, "stdout");
  return unreached ? exitStatus.unreachable : exitStatus.ok;
}

/** Neither values of variables nor what an inventory says of connecting is shown. */
function asJson(
  { job, file, strategy }: Plan,
  told: readonly HostForecast[],
  byHost: ReadonlyMap<string, PlannedHost>,
  redact: (text: string) => string,
): string {
  const hosts = told.map(({ host, steps, error }) => {
    const planned = byHost.get(host)!;
    const about = new Map(steps.map((step) => [step.step, step]));
    const describe = (step: PlannedStep): unknown =>
      step.kind === "parallel"
        ? { ...step, steps: step.steps.map(describe) }
        : { ...withoutValues(step), ...forecastFields(about.get(step.step)) };
    return {
      host,
      group: planned.group,
      ...(error === undefined ? {} : { error }),
      steps: planned.steps.map(describe),
      ...(planned.finally === undefined ? {} : { finally: planned.finally.map(describe) }),
    };
  });
  const hide = (_: string, value: unknown) => typeof value === "string" ? redact(value) : value;
  return `${JSON.stringify({ job, file, strategy, hosts }, hide, 2)}\n`;
}

function forecastFields(step: StepForecast | undefined) {
  if (step === undefined) return {};
  const { would, why, notAsked, diff } = step;
  return {
    would,
    ...(why === undefined ? {} : { why }),
    ...(notAsked === undefined ? {} : { notAsked }),
    ...(diff === undefined ? {} : { diff }),
  };
}

function withoutValues(action: PlannedAction): Record<string, unknown> {
  const { scope: _scope, env, onFailure, ...rest } = action;
  const shown: Record<string, unknown> = { ...rest, ...(env === undefined ? {} : { env: Object.keys(env) }) };
  if (onFailure) shown.onFailure = onFailure.map(withoutValues);
  if (!action.secret) return shown;
  // A secret step shows what it is, and nothing of what it does.
  return { step: action.step, kind: action.kind, name: action.name, secret: true };
}

/** In the words in which a run begins, and what it goes by. */
function heading(plan: Plan): string {
  const { parallel, batch, maxFailures, maxUnreachable, order } = plan.strategy;
  const batches = batchesOf(plan);
  const size = batches[0]?.length ?? 0;
  const share = typeof batch === "string" ? ` (${batch})` : "";
  const limits = [
    `${Math.min(parallel, size)} at once`,
    ...(batch === undefined ? [] : [`${plural(batches.length, "batch", "batches")} of ${size}${share}`]),
    ...(order === "linear" ? ["step by step together"] : []),
    ...(maxFailures === undefined ? [] : [stopsBeyond(maxFailures, "failed")]),
    ...(maxUnreachable === undefined ? [] : [stopsBeyond(maxUnreachable, "unreachable")]),
  ].join(", ");
  const file = plan.file === undefined ? "" : ` (${plan.file})`;
  const count = `${plural(plan.hosts.length, "host")}, ${plural(stepsOf(plan).length, "step")}`;
  return `${plan.job}${file}: ${count}; ${limits}\n\n`;
}

function stopsBeyond(share: HostShare, what: "failed" | "unreachable"): string {
  return parseFloat(String(share)) === 0 ? `stops at the first ${what}` : `stops beyond ${share} ${what}`;
}

function asText(told: readonly HostForecast[], byHost: ReadonlyMap<string, PlannedHost>): string {
  // Hosts that get the same steps, word for word, are told together.
  const groups = new Map<string, string[]>();
  for (const { host, steps, error } of told) {
    const planned = byHost.get(host)!;
    const about = new Map(steps.map((step) => [step.step, step]));
    const lines = [
      ...(error === undefined ? [] : [`  not asked: ${error}`]),
      ...[...planned.steps, ...planned.finally ?? []].map((step) => describeStep(step, about)),
    ];
    const text = lines.join("\n");
    groups.set(text, [...groups.get(text) ?? [], host]);
  }
  return [...groups].map(([text, hosts]) => `${hosts.join(", ")}\n${text}\n`).join("\n");
}

function describeStep(
  step: PlannedStep,
  about: ReadonlyMap<string, StepForecast>,
  indent = "  ",
): string {
  if (step.kind === "parallel") {
    const inner = step.steps.map((child) => describeStep(child, about, `${indent}  `));
    return [`${indent}${step.step} ${step.title}`, ...inner].join("\n");
  }
  const foretold = about.get(step.step);
  const notes = notesOf(step, foretold);
  const [first, ...more] = [
    ...(step.name === undefined ? [] : [step.name]),
    ...(step.secret ? [`${step.kind} (secret)`] : doing(step).split("\n")),
    ...(notes.length ? [`[${notes.join("; ")}]`] : []),
    ...(foretold?.would === "skip" ? [`skipped: ${foretold.why}`] : []),
    ...(foretold?.would === "run" && foretold.why !== undefined ? [`runs: ${foretold.why}`] : []),
    ...(foretold?.notAsked === undefined ? [] : [`not asked: ${foretold.notAsked}`]),
    ...(foretold?.diff ? diffLines(foretold.diff) : []),
    ...(step.secret ? [] : step.onFailure ?? []).flatMap((then) => {
      const what = then.secret ? `${then.kind} (secret)` : doing(then);
      return `if it fails: ${[...(then.name === undefined ? [] : [`${then.name}:`]), what].join(" ")}`.split(
        "\n",
      );
    }),
  ];
  const pad = " ".repeat(step.step.length + 1);
  return [`${indent}${step.step} ${first}`, ...more.map((one) => `${indent}${pad}${one}`)].join("\n");
}

function notesOf(step: PlannedAction, foretold: StepForecast | undefined): string[] {
  const env = Object.keys(step.env ?? {});
  return [
    ...(step.user === undefined ? [] : [`as ${step.user.name} by ${step.user.by}`]),
    ...(step.cwd === undefined ? [] : [`in ${step.cwd}`]),
    ...(env.length === 0 ? [] : [`env ${env.join(" ")}`]),
    ...(foretold?.would === "perhaps" ? [foretold.why ?? "the run decides"] : []),
    ...(step.timeoutMs === undefined ? [] : [`timeout ${formatDuration(step.timeoutMs)}`]),
    ...(step.retries === 0 ? [] : [`retries ${step.retries}`]),
    ...(step.ignoreErrors ? ["errors ignored"] : []),
    ...(step.register === undefined ? [] : [`registers ${step.register}`]),
  ];
}

/** What a step does, in the words of the task file. */
function doing(step: PlannedAction): string {
  switch (step.kind) {
    case "exec":
      return `exec ${step.command.trim()}`;
    case "script":
      return ["script", step.path, ...step.args].join(" ");
    case "copy":
    case "fetch":
    case "template":
      return `${step.kind} ${step.from} to ${step.to}`;
    case "wait":
      return `wait for ${step.port ?? step.file ?? step.command}`;
    case "reconnect":
      return "reconnect";
    case "prompt":
    case "confirm":
      return `${step.kind} ${step.message}`;
  }
}

function diffLines({ files, notCompared, missing }: StepDiff): string[] {
  const same = files.filter(({ change }) => change === "same").length;
  return [
    ...(missing === undefined
      ? []
      : [`FAILS unless an earlier step makes the directory ${missing}: it is not there`]),
    ...files.flatMap(({ path, change, patch, why }) => {
      if (change === "same") return [];
      if (patch !== undefined) return patch.trimEnd().split("\n");
      return [`${path}: ${changeWords[change]}${why === undefined ? "" : ` (${why})`}`];
    }),
    ...(same > 0 ? [`${same} of ${files.length} files are as they would be`] : []),
    ...(notCompared > 0 ? [`${notCompared} more files were not compared`] : []),
  ];
}

const changeWords = {
  new: "new",
  changed: "changes",
  same: "as it would be",
  binary: "binary, and differs",
  "too-large": "too large to compare",
  unreadable: "cannot be read",
  hidden: "not shown, it is secret",
} as const;

/** Lines of differences as everybody colours them. */
function coloured(text: string): string {
  return text.split("\n").map((line) => {
    const bare = line.trimStart();
    if (bare.startsWith("skipped: ")) return yellow(line);
    if (bare.startsWith("FAILS ")) return red(line);
    if (/^\+(?!\+\+ )/.test(bare)) return green(line);
    return /^-(?!-- )/.test(bare) ? red(line) : line;
  }).join("\n");
}
