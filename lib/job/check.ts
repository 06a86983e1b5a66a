import { type IncludeStep, underConditions } from "./build_step.ts";
import { StepChecker } from "./check_step.ts";
import { nameProblem } from "./expression.ts";
import { checkWith, type DocumentPath, type Locate } from "./issues.ts";
import type { Job, VarSource } from "./job.ts";
import { JobProblemsError, type Problem } from "./problems.ts";
import { jobSchema } from "./schema.ts";
import type { ActionStep, IncludeScope, Step } from "./step.ts";

/** A task file that was read, and those that it includes by the paths it has for them. */
export interface TaskDocument {
  readonly content: unknown;
  readonly file: string | undefined;
  readonly locate: Locate;
  readonly includes?: ReadonlyMap<string, TaskDocument>;
}

const sections = ["before", "steps", "after", "finally"] as const;

/** Where a place is in a job that was written in code: `steps[2].timeout`. */
export const locateInObject = (file: string | undefined): Locate => (path) => {
  const place = path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("").replace(
    /^\./,
    "",
  );
  return { where: [file, place || (file ? undefined : "the job")].filter((part) => part).join(": ") };
};

/**
 * Checks the content of a task file and fills in its defaults.
 *
 * @throws {JobProblemsError} with everything that is wrong, in the file's order.
 */
export function checkJob(
  content: unknown,
  file: string | undefined,
  locate: Locate = locateInObject(file),
  includes?: ReadonlyMap<string, TaskDocument>,
): Job {
  const problems: Problem[] = [];
  const checked = checkDocument({ content, file, locate, includes }, problems);
  if (checked === undefined || problems.length > 0) {
    throw new JobProblemsError("Cannot use the task file", problems);
  }
  const { value, parts } = checked;
  const { name, hosts, strategy, env, vars } = value;
  return {
    checked: true,
    name: name ?? file?.replace(/^.*[\/\\]/, "").replace(/\.[a-z]+$/, "") ?? "job",
    file,
    hosts: hosts ?? [],
    strategy: {
      parallel: strategy.parallel ?? 32,
      batch: strategy.batch,
      maxFailures: strategy.maxFailures,
      maxUnreachable: strategy.maxUnreachable,
      ...(strategy.order === "linear" ? { order: "linear" } : {}),
    },
    env,
    ...(Object.keys(vars).length > 0 ? { vars } : {}),
    ...(parts.before ? { before: parts.before } : {}),
    steps: parts.steps ?? [],
    ...(parts.after ? { after: parts.after } : {}),
    ...(parts.finally ? { finally: parts.finally } : {}),
  };
}

function checkDocument(document: TaskDocument, problems: Problem[]) {
  const { content, locate } = document;
  const shape = jobSchema.shape;
  const keysAt = (path: DocumentPath) =>
    path.length === 0
      ? Object.keys(shape)
      : path[0] === "vars"
      ? ["value", "env", "file", "default", "secret"]
      : Object.keys(shape.strategy.unwrap().shape);
  const top = checkWith(jobSchema, content, [], locate, keysAt);
  if (!top.ok) problems.push(...top.problems);
  else checkVars(top.value.vars, locate, problems);
  // Steps are checked even where the rest is wrong, so that one look at the messages is enough.
  const checker = new StepChecker(locate, problems);
  const parts: Partial<Record<typeof sections[number], readonly Step[]>> = {};
  for (const section of sections) {
    const listed = (content as Readonly<Record<string, unknown>> | null | undefined)?.[section];
    if (!Array.isArray(listed)) continue;
    parts[section] = checker.steps(listed, [section]).flatMap((step) =>
      step.kind === "include" ? included(step, document, problems) : [step]
    );
  }
  return top.ok ? { value: top.value, parts } : undefined;
}

function checkVars(vars: Readonly<Record<string, VarSource>>, locate: Locate, problems: Problem[]): void {
  for (const [name, source] of Object.entries(vars)) {
    const why = nameProblem(name);
    if (why !== undefined) {
      problems.push({
        ...locate(["vars", name], "key"),
        why: `found the variable ${JSON.stringify(name)}`,
        fix: why,
      });
    }
    const given = ["value", "env", "file"].filter((key) => source[key as keyof VarSource] !== undefined);
    if (given.length < 2) continue;
    problems.push({
      ...locate(["vars", name], "value"),
      why: `the variable ${JSON.stringify(name)} has both ${given[0]} and ${given[1]}`,
      fix: "give it one of value, env and file",
    });
  }
}

/** The steps that an `include` stands for. */
function included(step: IncludeStep, document: TaskDocument, problems: Problem[]): readonly Step[] {
  const at = (key: string) => document.locate([...step.path, key], "value");
  for (const name of Object.keys(step.vars)) {
    const why = nameProblem(name);
    if (why === undefined) continue;
    problems.push({ ...at("vars"), why: `found the variable ${JSON.stringify(name)}`, fix: why });
  }
  const other = document.includes?.get(step.file);
  if (other === undefined) {
    problems.push({
      ...at("include"),
      why: "a job that was written in code cannot include a file",
      fix: "in TypeScript, import the other job and spread its steps",
    });
    return [];
  }
  const checked = checkDocument(other, problems);
  if (!checked) return [];
  const { value, parts } = checked;
  if (parts.finally) {
    problems.push({
      ...other.locate(["finally"], "key"),
      why: 'an included file with "finally"',
      fix: "put these steps into the file that includes it",
    });
  }
  const scope: IncludeScope = { defaults: valuesOf(value.vars, other, problems), vars: step.vars };
  return [...parts.before ?? [], ...parts.steps ?? [], ...parts.after ?? []].map((one) =>
    underConditions(within(one, scope, value.env), step)
  );
}

/** Variables of an included file are defaults and stand there themselves; secrets belong to the job. */
function valuesOf(vars: Readonly<Record<string, VarSource>>, other: TaskDocument, problems: Problem[]) {
  return Object.fromEntries(
    Object.entries(vars).map(([name, source]) => {
      if (source.env !== undefined || source.file !== undefined || source.secret) {
        problems.push({
          ...other.locate(["vars", name], "value"),
          why: "an included file has variables that stand in it only",
          fix: `move ${JSON.stringify(name)} to the file that includes it`,
        });
      }
      return [name, source.value ?? source.default ?? null];
    }),
  );
}

function within<T extends Step>(step: T, scope: IncludeScope, env: Readonly<Record<string, string>>): T {
  const inside = <A extends ActionStep>(action: A): A => ({
    ...action,
    scopes: [scope, ...action.scopes ?? []],
    ...(Object.keys(env).length > 0 ? { env: { ...env, ...action.env } } : {}),
    ...(action.onFailure ? { onFailure: action.onFailure.map(inside) } : {}),
  });
  if (step.kind === "parallel") return { ...step, steps: step.steps.map(inside) };
  return inside(step as ActionStep) as T;
}
