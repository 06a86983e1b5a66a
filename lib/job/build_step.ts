import type { z } from "../deps/zod.ts";
import type { DocumentPath } from "./issues.ts";
import type { stepSchemas } from "./schema.ts";
import type { ActionStep, Step, StepBase, StepCondition } from "./step.ts";

/** What makes a step of a kind, by its key. */
export type StepKey = keyof typeof stepSchemas;

/** Steps that another file brings; the checker of includes turns each into its steps. */
export interface IncludeStep {
  readonly kind: "include";
  readonly path: DocumentPath;
  readonly file: string;
  readonly vars: Readonly<Record<string, unknown>>;
  readonly when?: readonly StepCondition[];
  readonly tags?: readonly string[];
}

type Value<K extends StepKey> = z.output<typeof stepSchemas[K]>;

/** Checks a step by the schema of its kind; undefined where that found something wrong, and has told. */
export type CheckValue = <K extends StepKey>(kind: K) => Value<K> | undefined;

/** What a step is made with that its schema does not know. */
export interface StepSurroundings {
  readonly path: DocumentPath;
  /** Its place in the file, for people. */
  readonly where: string;
  /** The steps of a parallel group. */
  readonly inGroup: readonly ActionStep[];
  readonly onFailure: readonly ActionStep[];
}

/** Makes a step of what its schema let through; undefined where that found something wrong. */
export function buildStep(
  kind: StepKey,
  check: CheckValue,
  { path, where, inGroup, onFailure }: StepSurroundings,
): Step | IncludeStep | undefined {
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
