import { JobFileError } from "../base/errors.ts";
import {
  evaluate,
  ExpressionProblem,
  expressionsOf,
  fillText,
  mentions,
  namesProblem,
} from "./expression.ts";
import type { HostEntry } from "./inventory.ts";
import type { Job } from "./job.ts";
import type { ActionStep, Step } from "./step.ts";
import type { Scope } from "./step_definition.ts";
import type { JobVars } from "./vars.ts";

/** What a registered name holds before its step has run, and after a step that was skipped. */
export const nothingRegistered = {
  ok: false,
  failed: false,
  skipped: true,
  code: null,
  stdout: "",
  stderr: "",
  lines: [],
} as const;

/** The steps of a job, those inside others among them. */
export function allActions(job: Job): readonly ActionStep[] {
  const inside = (step: Step): readonly ActionStep[] =>
    step.kind === "parallel" ? step.steps.flatMap(inside) : [step, ...(step.onFailure ?? []).flatMap(inside)];
  return [...job.before ?? [], ...job.steps, ...job.after ?? [], ...job.finally ?? []].flatMap(inside);
}

/** What expressions of a job may see, and what only the run can tell. */
export class PlanScopes {
  /** Names whose value only the run knows. */
  readonly late: ReadonlySet<string>;
  readonly #job: Job;
  readonly #vars: JobVars;
  readonly #hosts: readonly string[];

  constructor(job: Job, hosts: readonly HostEntry[], vars: JobVars) {
    this.#job = job;
    this.#vars = vars;
    this.#hosts = hosts.map(({ host }) => host);
    this.late = new Set(["failed", "failure", ...allActions(job).flatMap((step) => step.register ?? [])]);
  }

  /**
   * What expressions see on a host before the run. Where names are both registered and variables, the variable counts
   * until the step has run.
   *
   * @throws {CarpoolError} for a variable without a value.
   */
  of(entry: HostEntry): Scope {
    const { own, given, missing } = this.#vars;
    const inventory = (entry as { readonly vars?: Scope }).vars ?? {};
    const builtIn = {
      host: entry.host,
      group: entry.group ?? "",
      hosts: this.#hosts,
      job: this.#job.name,
      failed: false,
      failure: { step: "", title: "", why: "" },
    };
    const registered = allActions(this.#job).flatMap((step) =>
      step.register === undefined
        ? []
        : [[step.register, step.kind === "prompt" ? step.default ?? "" : nothingRegistered]]
    );
    let vars: Record<string, unknown> = { ...inventory, ...given };
    for (const [name, error] of Object.entries(missing)) if (!(name in vars)) throw error;
    for (const [name, value] of Object.entries(own)) {
      if (name in vars) continue;
      // The order of the task file: a variable sees those above it.
      const filled = fillValue(value, { ...builtIn, ...vars });
      vars = { ...vars, [name]: filled };
    }
    return { ...Object.fromEntries(registered), ...usable(vars), vars, ...builtIn };
  }

  /** Values that must be in no event. */
  secretsIn(scope: Scope): readonly string[] {
    return [...this.#vars.secret].flatMap((name) => textsOf(scope[name]));
  }

  /** Whether an expression has to wait for the run; also says what is wrong with its names. */
  isLate(source: string, scope: Scope): boolean {
    if (!mentions(source, this.late)) return false;
    const problem = namesProblem(source, Object.keys(scope));
    if (problem) throw problem;
    return true;
  }
}

/** The scope of a step that an `include` brought. */
export function includeScope(step: ActionStep, outer: Scope): Scope {
  let scope = outer;
  for (const { defaults, vars } of step.scopes ?? []) {
    const all: Record<string, unknown> = { ...outer.vars as Scope };
    for (const [name, value] of Object.entries(defaults)) {
      if (!(name in all)) all[name] = fillValue(value, { ...scope, ...all });
    }
    for (const [name, value] of Object.entries(vars)) all[name] = fillValue(value, scope);
    scope = { ...scope, ...usable(all), vars: all };
  }
  return scope;
}

/** Text is filled in, and text that is one expression keeps the kind of its value. */
function fillValue(value: unknown, scope: Scope): unknown {
  if (typeof value === "string") {
    if (!value.includes("{{")) return value;
    const [only, ...more] = expressionsOf(value);
    const whole = only !== undefined && more.length === 0 && /^\{\{[^]*\}\}$/.test(value.trim()) &&
      value.trim().slice(2, -2).trim() === only;
    return whole ? evaluate(only, scope) : fillText(value, scope, "plain");
  }
  if (Array.isArray(value)) return value.map((one) => fillValue(one, scope));
  return value;
}

/** Variables by names that expressions can use; others (`ansible-host`) are found in `vars` only. */
function usable(vars: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(vars).filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)));
}

function textsOf(value: unknown): readonly string[] {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return typeof value === "object" ? Object.values(value).flatMap(textsOf) : [String(value)];
}

/** A problem of an expression with its place in the task file. */
export function placed(error: unknown, where: string): unknown {
  if (!(error instanceof ExpressionProblem)) return error;
  const match = /:(\d+):(\d+)$/.exec(where);
  return new JobFileError({
    what: "Cannot plan the job",
    where,
    why: error.why,
    fix: error.fix,
    cause: error,
    ...(match ? { line: Number(match[1]), column: Number(match[2]) } : {}),
  });
}
