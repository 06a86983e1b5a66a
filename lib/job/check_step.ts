import type { z } from "../deps/zod.ts";
import { nearestName } from "../base/nearest_name.ts";
import { type ExpressionProblem, nameProblem, syntaxProblem, textProblems } from "./expression.ts";
import { checkWith, type DocumentPath, type Locate } from "./issues.ts";
import { describeValue, type Problem } from "./problems.ts";
import { stepSchemas } from "./schema.ts";
import type { ActionStep, Step, StepBase, StepCondition } from "./step.ts";
import { stepTexts } from "./step_texts.ts";

/** What makes a step of a kind, by its key. */
export type StepKey = keyof typeof stepSchemas;

/** The keys of all kinds of steps. */
export const stepKeys = Object.keys(stepSchemas) as StepKey[];

/** The kinds that a parallel group and `onFailure` may hold. */
const actionKeys: readonly StepKey[] = ["exec", "script", "copy", "template", "fetch", "wait"];

/** Steps that another file brings; the checker of includes turns each into its steps. */
export interface IncludeStep {
  readonly kind: "include";
  readonly path: DocumentPath;
  readonly file: string;
  readonly vars: Readonly<Record<string, unknown>>;
  readonly when?: readonly StepCondition[];
  readonly tags?: readonly string[];
}

/** The YAML keys of fields that have another name in a checked step. */
const keyOf = (kind: string, field: string): readonly string[] => {
  const [first = "", ...rest] = field.split(".");
  if (first === "user") return ["user"];
  if (kind === "wait" && ["port", "file", "command"].includes(first)) return ["wait", first];
  if (["command", "path", "from", "message"].includes(first)) return [kind];
  return [first, ...rest];
};

/** Checks the steps of one document; what is wrong goes to `problems`. */
export class StepChecker {
  readonly #locate: Locate;
  readonly #problems: Problem[];

  constructor(locate: Locate, problems: Problem[]) {
    this.#locate = locate;
    this.#problems = problems;
  }

  /** Checks a list of steps at `path`. */
  steps(listed: unknown, path: DocumentPath): readonly (Step | IncludeStep)[] {
    if (!Array.isArray(listed)) return [];
    return listed.flatMap((step: unknown, i) => this.#step(step, [...path, i], stepKeys) ?? []);
  }

  #actions(listed: unknown, path: DocumentPath): readonly ActionStep[] {
    if (!Array.isArray(listed)) return [];
    return listed.flatMap((step: unknown, i) => {
      const checked = this.#step(step, [...path, i], actionKeys);
      return checked === undefined || checked.kind === "parallel" || checked.kind === "include"
        ? []
        : [checked];
    });
  }

  #step(step: unknown, path: DocumentPath, allowed: readonly StepKey[]): Step | IncludeStep | undefined {
    const kind = this.#kindOf(step, path, allowed);
    if (kind === undefined) return undefined;
    const shape = Object.keys(stepSchemas[kind].shape);
    const inner = Object.keys(stepSchemas.wait.shape.wait.shape);
    const keysAt = (at: DocumentPath) =>
      at.length === 0 ? shape : at[0] === "wait" ? inner : at[0] === "reconnect" ? ["after"] : ["name", "by"];
    const check = <K extends StepKey>(key: K): Value<K> | undefined => {
      const checked = checkWith(stepSchemas[key], step, path, this.#locate, keysAt);
      if (!checked.ok) this.#problems.push(...checked.problems);
      return checked.ok ? checked.value as Value<K> : undefined;
    };
    const before = this.#problems.length;
    // The steps inside are checked even where the step around them is wrong.
    const held = step as { readonly parallel?: unknown; readonly onFailure?: unknown };
    const inGroup = kind === "parallel" ? this.#actions(held.parallel, [...path, "parallel"]) : [];
    const onFailure =
      kind !== "parallel" && "onFailure" in shape.reduce((all, key) => ({ ...all, [key]: 1 }), {})
        ? this.#actions(held.onFailure, [...path, "onFailure"])
        : [];
    const built = this.#build(kind, check, path, inGroup, onFailure);
    if (built === undefined || this.#problems.length > before) return undefined;
    this.#checkTexts(built, path);
    return built;
  }

  #build(
    kind: StepKey,
    check: <K extends StepKey>(key: K) => Value<K> | undefined,
    path: DocumentPath,
    inGroup: readonly ActionStep[],
    onFailure: readonly ActionStep[],
  ): Step | IncludeStep | undefined {
    const { where } = this.#locate(path, "value");
    if (kind === "parallel") {
      const value = check("parallel");
      if (!value) return undefined;
      const own = conditionsOf(value);
      return { kind, where, name: value.name, steps: inGroup.map((step) => underConditions(step, own)) };
    }
    if (kind === "include") {
      const value = check("include");
      return value && { kind, path, file: value.include, vars: value.vars ?? {}, ...conditionsOf(value) };
    }
    if (kind === "reconnect") {
      const value = check("reconnect");
      return value &&
        { kind, ...bare(value, where), timeoutMs: value.timeout, afterMs: value.reconnect.after };
    }
    if (kind === "prompt") {
      const value = check("prompt");
      if (!value) return undefined;
      const { prompt, register, default: fallback, choices, secret } = value;
      if (choices && fallback !== undefined && !choices.includes(fallback)) {
        this.#say([...path, "default"], `the default ${JSON.stringify(fallback)} is not among the choices`, {
          fix: `choices: ${choices.join(", ")}`,
        });
      }
      const rest = { ...some({ default: fallback, choices, secret }), register };
      return { kind, ...bare(value, where), message: prompt, ...rest };
    }
    if (kind === "confirm") {
      const value = check("confirm");
      return value &&
        { kind, ...bare(value, where), message: value.confirm, ...some({ default: value.default }) };
    }
    const common = (value: ActionValue) => ({
      ...commonOf(value, where),
      ...some({ onFailure: nonEmpty(onFailure) }),
    });
    switch (kind) {
      case "exec": {
        const value = check(kind);
        if (!value) return undefined;
        const { exec: command, env, cwd, creates } = value;
        return { kind, ...common(value), command, env, cwd, creates };
      }
      case "script": {
        const value = check(kind);
        return value && {
          kind,
          ...common(value),
          ...withPlace(value),
          path: value.script,
          args: value.args,
          interpreter: value.interpreter,
        };
      }
      case "copy": {
        const value = check(kind);
        if (!value) return undefined;
        const { copy: from, to, creates, mode, owner, exclude } = value;
        return {
          kind,
          ...common(value),
          ...withPlace(value),
          from,
          to,
          creates,
          ...some({ mode, owner, exclude }),
        };
      }
      case "template": {
        const value = check(kind);
        if (!value) return undefined;
        const { template: from, to, mode, owner, escape } = value;
        return { kind, ...common(value), ...withPlace(value), from, to, ...some({ mode, owner, escape }) };
      }
      case "fetch": {
        const value = check(kind);
        return value && { kind, ...common(value), ...withPlace(value), from: value.fetch, to: value.to };
      }
      case "wait": {
        const value = check(kind);
        if (!value) return undefined;
        const { port, file, command, interval: intervalMs } = value.wait;
        return { kind, ...common(value), ...withPlace(value), ...some({ port, file, command }), intervalMs };
      }
    }
  }

  #kindOf(step: unknown, path: DocumentPath, allowed: readonly StepKey[]): StepKey | undefined {
    const oneOf = allowed.join(", ");
    if (step === null || typeof step !== "object" || Array.isArray(step)) {
      this.#say(path, `found ${describeValue(step)} for a step`, {
        fix: `a step is a map with one of: ${oneOf}`,
      });
      return undefined;
    }
    const keys = Object.keys(step);
    const [kind, second] = allowed.filter((candidate) => keys.includes(candidate));
    if (kind === undefined) {
      const elsewhere = stepKeys.find((key) => keys.includes(key));
      if (elsewhere !== undefined) {
        const what = elsewhere === "parallel"
          ? "a parallel group"
          : `a step with ${JSON.stringify(elsewhere)}`;
        const where = path.at(-2) === "onFailure" ? "onFailure" : "a parallel group";
        const fix = elsewhere === "parallel" && where !== "onFailure"
          ? `put its steps into the outer one: ${oneOf}`
          : `put it among the job's own steps; here one of: ${oneOf}`;
        this.#say(path, `${what} inside ${where}`, { fix });
        return undefined;
      }
      // `exce: ls` names no kind, but the key is the thing to point at.
      for (const key of keys) {
        const nearest = nearestName(key, allowed);
        if (nearest === undefined) continue;
        const fix = `did you mean ${JSON.stringify(nearest)}? a step has one of: ${oneOf}`;
        this.#say([...path, key], `unknown key ${JSON.stringify(key)}`, { fix, of: "key" });
        return undefined;
      }
      this.#say(path, "the step does not say what to do", { fix: `give it one of: ${oneOf}` });
      return undefined;
    }
    if (second !== undefined) {
      const why = `the step has both ${JSON.stringify(kind)} and ${JSON.stringify(second)}`;
      this.#say(path, why, { fix: "make it two steps" });
      return undefined;
    }
    return kind;
  }

  /** Expressions are read now, so that a mistake in the last step is told before the first one runs. */
  #checkTexts(step: Step | IncludeStep, path: DocumentPath): void {
    const tell = (at: readonly PropertyKey[], problem: ExpressionProblem) =>
      this.#say([...path, ...at], problem.why, { fix: problem.fix });
    if (step.kind !== "parallel" && step.kind !== "include") {
      for (const { field, use, text } of stepTexts(step)) {
        for (const problem of textProblems(text, use)) tell(keyOf(step.kind, field), problem);
      }
      const why = step.register === undefined ? undefined : nameProblem(step.register);
      if (why !== undefined) {
        this.#say([...path, "register"], `found ${JSON.stringify(step.register)}`, { fix: why });
      }
    }
    const own = step.kind === "parallel" ? [] : step.when ?? [];
    for (const condition of own) {
      if (typeof condition !== "string") continue;
      if (condition.trim().startsWith("{{")) {
        this.#say([...path, "when"], '"when" is an expression already', { fix: "leave out {{ and }}" });
        continue;
      }
      const problem = syntaxProblem(condition);
      if (problem) tell(["when"], problem);
    }
  }

  #say(
    path: DocumentPath,
    why: string,
    more: { readonly fix?: string | undefined; readonly of?: "key" } = {},
  ) {
    const { fix, of = "value" } = more;
    this.#problems.push({ ...this.#locate(path, of), why, ...(fix === undefined ? {} : { fix }) });
  }
}

type Value<K extends StepKey> = z.output<typeof stepSchemas[K]>;

/** What the values of all steps that do something have in common. */
type ActionValue = Omit<Value<"fetch">, "fetch" | "to">;

interface ConditionValues {
  readonly name?: string | undefined;
  readonly when?: StepCondition | boolean | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** What has a value. */
function some<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}

function conditionsOf({ when, tags }: ConditionValues) {
  const condition = typeof when === "boolean" ? String(when) : when;
  return some({ when: condition === undefined ? undefined : [condition], tags });
}

/** A step under the conditions of the group or the include around it. */
export function underConditions<T extends Step>(
  step: T,
  around: { readonly when?: readonly StepCondition[]; readonly tags?: readonly string[] },
): T {
  if (step.kind === "parallel") {
    return { ...step, steps: step.steps.map((child) => underConditions(child, around)) };
  }
  const when = nonEmpty([...around.when ?? [], ...step.when ?? []]);
  const tags = nonEmpty([...new Set([...around.tags ?? [], ...step.tags ?? []])]);
  return { ...step, ...some({ when, tags }) };
}

function bare(value: ConditionValues, where: string) {
  return { where, name: value.name, timeoutMs: undefined, retries: 0, ...conditionsOf(value) };
}

function commonOf(value: ActionValue, where: string): StepBase {
  const { name, timeout, retries, delay: delayMs, unless, register, user } = value;
  const flags = some({
    ignoreErrors: value.ignoreErrors || undefined,
    quiet: value.quiet || undefined,
    secret: value.secret || undefined,
  });
  return {
    where,
    name,
    timeoutMs: timeout,
    retries,
    ...conditionsOf(value),
    ...some({ delayMs, unless, register, user }),
    ...flags,
  };
}

/** What every kind but `exec`, which always has them, has only where the file says so. */
function withPlace({ env, cwd, creates }: ActionValue) {
  return some({ env: Object.keys(env).length > 0 ? env : undefined, cwd, creates });
}
