import type { HostEntry } from "./inventory.ts";
import type { FilledStep } from "./plan_texts.ts";
import type { PlannedAction, PlannedStepBase } from "./planned.ts";
import type { ActionStep } from "./step.ts";
import type { Scope } from "./step_definition.ts";

/** A step that is filled in, or that never had anything to fill in. */
export type Filled = Pick<FilledStep, "step"> & Partial<FilledStep>;

/** A path on a host with the host's name in it. */
export function withHost(path: string, { host }: HostEntry): string {
  return path.replaceAll("{host}", host);
}

/** The job's variables where a step runs commands of its own; `exec` always has some. */
export function withJobEnv(step: ActionStep, env: Readonly<Record<string, string>>): ActionStep {
  const runs = step.kind === "script" || step.kind === "wait" || step.unless !== undefined;
  if (step.kind !== "exec" && (!runs || Object.keys(env).length === 0)) return step;
  return { ...step, env: { ...env, ...step.env } };
}

/** What every planned step has. */
export function plannedBase(
  id: string,
  { step, skip, when = [], whenCalls = [], late = [], scope }: Filled,
  { entry, hostScope, onFailure }: {
    readonly entry: HostEntry;
    readonly hostScope: Scope;
    readonly onFailure: readonly PlannedAction[];
  },
): PlannedStepBase {
  const { name, timeoutMs, retries, delayMs, user, unless, register, tags, env } = step;
  const [cwd, creates] = [step.cwd, step.creates].map((path) => path && withHost(path, entry));
  const isLate = late.length > 0;
  // One title for all hosts: what stands for their names stays in it.
  const title = name ?? (step.secret && step.kind !== "prompt" ? `${step.kind} (secret)` : titleOf(step));
  const usesScope = isLate || when.length > 0 || whenCalls.length > 0;
  return {
    step: id,
    name,
    title,
    timeoutMs,
    retries,
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(skip === undefined ? {} : { skip }),
    ...(when.length === 0 ? {} : { when }),
    ...(whenCalls.length === 0 ? {} : { whenCalls }),
    ...(isLate ? { late: true } : {}),
    ...(usesScope && scope !== undefined && scope !== hostScope ? { scope } : {}),
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(user === undefined ? {} : { user }),
    ...(creates === undefined ? {} : { creates }),
    ...(unless === undefined ? {} : { unless }),
    ...(register === undefined ? {} : { register }),
    ...(step.ignoreErrors ? { ignoreErrors: true } : {}),
    ...(onFailure.length === 0 ? {} : { onFailure }),
    ...(tags === undefined ? {} : { tags }),
    ...(step.quiet ? { quiet: true } : {}),
    ...(step.secret ? { secret: true } : {}),
  };
}

/** What a step does, in a few words. */
export function titleOf(step: ActionStep): string {
  switch (step.kind) {
    case "exec": {
      const [first = "", ...more] = String(step.command).trim().split("\n");
      return more.length > 0 ? `${first} …` : first;
    }
    case "script":
      return ["script", step.path, ...step.args].join(" ");
    case "wait":
      return `wait for ${step.port !== undefined ? `port ${step.port}` : step.file ?? step.command}`;
    case "reconnect":
      return "reconnect";
    case "prompt":
    case "confirm":
      return step.message;
    default:
      return `${step.kind} ${step.from} to ${step.to}`;
  }
}
