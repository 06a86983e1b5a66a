import { JobFileError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { systemWhy } from "../base/system_why.ts";
import { basename } from "../deps/node_path.ts";
import type { HostEntry } from "./inventory.ts";
import type { Job } from "./job.ts";
import { asFileName, StepPlanner, type StepPlanning } from "./plan_action.ts";
import { actionsOf, type Plan, type PlannedAction, type PlannedHost, type PlannedStep } from "./planned.ts";
import { JobProblemsError, type Problem } from "./problems.ts";
import type { ActionStep, Step } from "./step.ts";
import type { Scope } from "./step_definition.ts";
import { needsFilling } from "./step_texts.ts";
import { isTagged, refuseUnknownTags, type TagOptions } from "./tags.ts";
import { findVars, type VarsOptions } from "./vars.ts";

export * from "./planned.ts";
export { asFileName };

/** What planning may be given. */
export interface PlanOptions extends VarsOptions, TagOptions {
  /** What local paths are relative to; default: the current directory. */
  readonly cwd?: string;
}

/**
 * Turns a checked job and its hosts into a plan. Reads local files that the job names; contacts nobody.
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
  const actions = stepsOf(job);
  refuseUnknownTags(new Set(actions.flatMap((step) => step.tags ?? [])), options);
  const sources = new Map<string, ActionStep>();
  const filling = await fillingOf(job, actions, hosts, options);
  const planner = new StepPlanner({
    job,
    cwd: options.cwd ?? Deno.cwd(),
    late: filling.late,
    ...(filling.fill ? { fill: filling.fill } : {}),
    wanted: (step) => isTagged(step.tags ?? [], options),
    sources,
  });
  const secrets = new Set<string>();
  const planned: PlannedHost[] = [];
  for (const entry of hosts) {
    const scope = filling.scopeOf(entry);
    for (const secret of filling.secretsIn(scope)) secrets.add(secret);
    const section = (steps: readonly Step[] | undefined, prefix: string) =>
      planner.steps(steps ?? [], prefix, entry, scope);
    const steps = [
      ...await section(job.before, "before."),
      ...await section(job.steps, ""),
      ...await section(job.after, "after."),
    ];
    const last = await section(job.finally, "finally.");
    const needsScope = actionsOf([...steps, ...last]).some(isLate);
    const { host, group, ...more } = entry;
    planned.push({
      host,
      group,
      ...more,
      steps,
      ...(last.length > 0 ? { finally: last } : {}),
      ...(needsScope ? { scope } : {}),
    });
  }
  const problems = [...await missingSources(planned, sources), ...sharedTargets(planned, sources)];
  if (problems.length > 0) throw new JobProblemsError("Cannot plan the job", problems);
  const { name, file, strategy } = job;
  return {
    job: name,
    file,
    strategy,
    hosts: planned,
    ...(secrets.size > 0 ? { secrets: [...secrets] } : {}),
  };
}

function isLate(action: PlannedAction): boolean {
  return action.late === true || action.when !== undefined || action.whenCalls !== undefined ||
    (action.onFailure ?? []).some(isLate);
}

/** The steps of a job, those inside others among them. */
function stepsOf(job: Job): readonly ActionStep[] {
  const inside = (step: Step): readonly ActionStep[] =>
    step.kind === "parallel" ? step.steps.flatMap(inside) : [step, ...(step.onFailure ?? []).flatMap(inside)];
  return [...job.before ?? [], ...job.steps, ...job.after ?? [], ...job.finally ?? []].flatMap(inside);
}

interface Filling extends Pick<StepPlanning, "fill" | "late"> {
  scopeOf(entry: HostEntry): Scope;
  secretsIn(scope: Scope): readonly string[];
}

/** The language of expressions is loaded for jobs that use it. */
async function fillingOf(
  job: Job,
  actions: readonly ActionStep[],
  hosts: readonly HostEntry[],
  options: PlanOptions,
): Promise<Filling> {
  const given = Object.keys(options.vars ?? {}).length > 0 || (options.varsFiles ?? []).length > 0;
  const uses = given || job.vars !== undefined ||
    Object.values(job.env).some((value) => value.includes("{{")) ||
    actions.some((step) =>
      needsFilling(step) || step.kind === "template" || step.register !== undefined ||
      step.kind === "exec" && typeof step.command === "function"
    );
  if (!uses) return { late: new Set(), scopeOf: () => ({}), secretsIn: () => [] };
  const vars = await findVars(job, options);
  const [{ PlanScopes, placed }, { fillStep }] = await explainMissingPackage(() =>
    Promise.all([import("./plan_scope.ts"), import("./plan_texts.ts")])
  );
  const scopes = new PlanScopes(job, hosts, vars);
  return {
    late: scopes.late,
    scopeOf: (entry) => scopes.of(entry),
    secretsIn: (scope) => scopes.secretsIn(scope),
    fill: (step, scope) => {
      try {
        return fillStep(step, scope, scopes);
      } catch (error) {
        throw placed(error, step.where);
      }
    },
  };
}

/** Everything that a host may be asked to do. */
function everyAction(planned: PlannedHost): readonly PlannedAction[] {
  const inside = (action: PlannedAction): readonly PlannedAction[] => [
    action,
    ...(action.onFailure ?? []).flatMap(inside),
  ];
  const all: readonly PlannedStep[] = [...planned.steps, ...planned.finally ?? []];
  return actionsOf(all).flatMap(inside);
}

async function missingSources(
  hosts: readonly PlannedHost[],
  sources: ReadonlyMap<string, ActionStep>,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const action of hosts.flatMap(everyAction)) {
    if (action.kind !== "copy" || action.skip !== undefined || seen.has(action.from)) continue;
    seen.add(action.from);
    const step = sources.get(action.step);
    const written = JSON.stringify(step?.kind === "copy" ? step.from : basename(action.from));
    try {
      const { isDirectory } = await Deno.stat(action.from);
      // With narrow permissions Deno drops the last slash, and the system does not refuse it.
      if (action.from.endsWith("/") && !isDirectory) throw new Deno.errors.NotADirectory();
      if (action.user !== undefined && isDirectory) {
        const why = `the copy of ${written} as ${action.user.name} would be a tree`;
        const fix =
          "as another user single files can be copied; copy the tree as yourself and move it with exec";
        problems.push({ ...placeOf(step?.where), why, fix });
      }
    } catch (cause) {
      const why = cause instanceof Deno.errors.NotFound
        ? `the local file ${written} does not exist`
        : cause instanceof Deno.errors.NotADirectory
        ? `the local path ${written} leads through a file that is no folder`
        : `the local file ${written} cannot be read (${systemWhy(cause)})`;
      problems.push({ ...placeOf(step?.where), why, fix: `looked for ${action.from}` });
    }
  }
  return problems;
}

function sharedTargets(hosts: readonly PlannedHost[], sources: ReadonlyMap<string, ActionStep>): Problem[] {
  const writers = new Map<string, { readonly step: string; readonly host: string }>();
  const problems = new Map<string, Problem>();
  for (const planned of hosts) {
    const { host } = planned;
    for (const action of everyAction(planned)) {
      if (action.kind !== "fetch" || action.skip !== undefined) continue;
      // A folder that several files go into is shared only by name.
      const to = action.to.endsWith("/") ? action.to + basename(action.from) : action.to;
      const other = writers.get(to);
      writers.set(to, { step: action.step, host });
      if (!other || other.host === host || problems.has(action.step)) continue;
      problems.set(action.step, {
        ...placeOf(sources.get(action.step)?.where),
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
