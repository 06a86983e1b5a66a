import { JobFileError } from "../base/errors.ts";
import { basename, isAbsolute, resolve } from "../deps/node_path.ts";
import type { HostEntry } from "./inventory.ts";
import type { Job } from "./job.ts";
import { actionsOf, type Plan, type PlannedAction, type PlannedHost, type PlannedStep } from "./planned.ts";
import { JobProblemsError, type Problem } from "./problems.ts";
import type { ActionStep, ExecStep, Step } from "./step.ts";

export * from "./planned.ts";

/** What planning may be given. */
export interface PlanOptions {
  /** What local paths are relative to; default: the current directory. */
  readonly cwd?: string;
}

/**
 * Turns a checked job and its hosts into a plan. Reads nothing but whether local sources exist; contacts nobody.
 *
 * @throws {JobProblemsError} with every local source that is missing, and every `to` that several hosts would write.
 */
export async function planJob(
  job: Job,
  hosts: readonly HostEntry[],
  options: PlanOptions = {},
): Promise<Plan> {
  if (hosts.length === 0) {
    throw new JobFileError({
      what: "Cannot plan the job",
      where: job.file ?? job.name,
      why: "it has no hosts",
      fix: 'add "hosts:" to the task file, or name them with --hosts',
    });
  }
  const cwd = options.cwd ?? Deno.cwd();
  const planned = hosts.map((entry): PlannedHost => ({
    ...entry,
    steps: job.steps.map((step, i) => planStep(step, String(i + 1), entry.host, job, cwd)),
  }));
  const problems = [...await missingSources(job, planned), ...sharedTargets(job, planned)];
  if (problems.length > 0) throw new JobProblemsError("Cannot plan the job", problems);
  return { job: job.name, file: job.file, strategy: job.strategy, hosts: planned };
}

function planStep(step: Step, id: string, host: string, job: Job, cwd: string): PlannedStep {
  if (step.kind === "parallel") {
    const steps = step.steps.map((child, i) => planAction(child, `${id}.${i + 1}`, host, job, cwd));
    return { kind: "parallel", step: id, title: step.name ?? `${steps.length} steps at once`, steps };
  }
  return planAction(step, id, host, job, cwd);
}

function planAction(step: ActionStep, id: string, host: string, job: Job, cwd: string): PlannedAction {
  const { name, timeoutMs, retries } = step;
  const base = { step: id, name, title: name ?? titleOf(step), timeoutMs, retries };
  // On this machine the host's name must stay one path segment; on the host it is only text.
  const local = (path: string) => {
    const filled = path.replaceAll("{host}", asFileName(host));
    // Resolving drops what means "the content of" to a copy: `dist/`, `dist/.`, `.`.
    const absolute = isAbsolute(filled) ? filled : resolve(cwd, filled);
    return /(^|[\/\\])\.{0,2}$/.test(filled) && !/[\/\\]$/.test(absolute) ? `${absolute}/` : absolute;
  };
  const remote = (path: string) => path.replaceAll("{host}", host);
  switch (step.kind) {
    case "exec":
      return { kind: "exec", ...base, ...execOf(step), env: { ...job.env, ...step.env } };
    case "copy":
      return { kind: "copy", ...base, from: local(step.from), to: remote(step.to), creates: step.creates };
    case "fetch":
      return { kind: "fetch", ...base, from: remote(step.from), to: local(step.to) };
  }
}

function execOf({ command, cwd, creates }: ExecStep) {
  return { command, cwd, creates };
}

function titleOf(step: ActionStep): string {
  if (step.kind !== "exec") return `${step.kind} ${step.from} to ${step.to}`;
  const [first = "", ...more] = step.command.trim().split("\n");
  return more.length > 0 ? `${first} …` : first;
}

/** A host's name as one segment of a local path: `ssh://a/b` and `..` must not lead elsewhere. */
export function asFileName(host: string): string {
  const safe = host.replace(/[\/\\\0]/g, "_");
  return /^\.+$/.test(safe) ? safe.replaceAll(".", "_") : safe;
}

/** The step of the job that a planned one came from, for its place in the file. */
function sourceOf(job: Job, id: string): ActionStep | undefined {
  const [outer, inner] = id.split(".").map((n) => Number(n) - 1);
  const step = job.steps[outer ?? -1];
  return step?.kind === "parallel" ? step.steps[inner ?? -1] : step;
}

async function missingSources(job: Job, hosts: readonly PlannedHost[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const action of hosts.flatMap((host) => actionsOf(host.steps))) {
    if (action.kind !== "copy" || seen.has(action.from)) continue;
    seen.add(action.from);
    const step = sourceOf(job, action.step);
    const written = JSON.stringify(step?.kind === "copy" ? step.from : basename(action.from));
    try {
      const { isDirectory } = await Deno.stat(action.from);
      // With narrow permissions Deno drops the last slash, and the system does not refuse it.
      if (action.from.endsWith("/") && !isDirectory) throw new Deno.errors.NotADirectory();
    } catch (cause) {
      const why = cause instanceof Deno.errors.NotFound
        ? `the local file ${written} does not exist`
        : cause instanceof Deno.errors.NotADirectory
        ? `the local path ${written} leads through a file that is no folder`
        : `the local file ${written} cannot be read (${
          cause instanceof Error ? cause.message : String(cause)
        })`;
      problems.push({ ...placeOf(step?.where), why, fix: `looked for ${action.from}` });
    }
  }
  return problems;
}

function sharedTargets(job: Job, hosts: readonly PlannedHost[]): Problem[] {
  const writers = new Map<string, { readonly step: string; readonly host: string }>();
  const problems = new Map<string, Problem>();
  for (const { host, steps } of hosts) {
    for (const action of actionsOf(steps)) {
      if (action.kind !== "fetch") continue;
      // A folder that several files go into is shared only by name.
      const to = action.to.endsWith("/") ? action.to + basename(action.from) : action.to;
      const other = writers.get(to);
      writers.set(to, { step: action.step, host });
      if (!other || other.host === host || problems.has(action.step)) continue;
      problems.set(action.step, {
        ...placeOf(sourceOf(job, action.step)?.where),
        why: `${other.host} and ${host} would both write ${action.to}`,
        fix: 'put {host} into "to", as ./logs/{host}.log',
      });
    }
  }
  return [...problems.values()];
}

/** `deploy.yaml:12:5` with its numbers, so that problems sort by place. */
function placeOf(where: string | undefined): Pick<Problem, "where" | "line" | "column"> {
  const match = /:(\d+):(\d+)$/.exec(where ?? "");
  return { where: where ?? "", line: Number(match?.[1] ?? 0), column: Number(match?.[2] ?? 0) };
}
