import type { StepInfo } from "../base/run_event.ts";
import type { HostEntry } from "./inventory.ts";
import type { Strategy } from "./job.ts";
import type { StepUser } from "./step.ts";
import type { Scope } from "./step_definition.ts";

/** Everything that a run will do, with nothing left to look up: per host, its steps with everything filled in. */
export interface Plan {
  readonly job: string;
  /** The task file; undefined for a job that was written in code. */
  readonly file: string | undefined;
  readonly strategy: Strategy;
  readonly hosts: readonly PlannedHost[];
  /** What must be in no event: values of secret variables. */
  readonly secrets?: readonly string[];
}

/** One host of a plan. */
export interface PlannedHost extends HostEntry {
  /** `before`, `steps` and `after` of the job, in this order. */
  readonly steps: readonly PlannedStep[];
  /** Done last, whatever happened. */
  readonly finally?: readonly PlannedStep[];
  /** What expressions see that can be evaluated only during the run; secrets may be in it. */
  readonly scope?: Scope;
}

/**
 * What every planned step has. All of it is plain JSON, but for functions of a task file in TypeScript; what has its
 * default is not there at all.
 */
export interface PlannedStepBase {
  /** Its place in the job, from 1: `3`, `4.2` inside a parallel group, `before.1`, `after.1`, `finally.1`. */
  readonly step: string;
  readonly name: string | undefined;
  /** Its name, or where it has none what it does, as the task file says it. */
  readonly title: string;
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  /** Between two attempts; default: the run's own, doubling. */
  readonly delayMs?: number;
  /** Why the step is not needed, where that is known before the run. */
  readonly skip?: string;
  /** Conditions that only the run can decide, because they speak of registered results; all must hold. */
  readonly when?: readonly string[];
  /** The same of a task file in TypeScript. */
  readonly whenCalls?: readonly ((scope: Scope) => boolean)[];
  /** Text that speaks of registered results, so that `{{ }}` is still in it; see fill.ts. */
  readonly late?: true;
  /** The variables of an include, for late text. */
  readonly scope?: Scope;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly user?: StepUser;
  readonly creates?: string | undefined;
  readonly unless?: string;
  readonly register?: string;
  readonly ignoreErrors?: true;
  readonly onFailure?: readonly PlannedAction[];
  readonly tags?: readonly string[];
  readonly quiet?: true;
  readonly secret?: true;
  /** Its place in the task file, where something can go wrong with it during the run. */
  readonly where?: string;
}

/** A command to run. */
export interface PlannedExec extends PlannedStepBase {
  readonly kind: "exec";
  readonly command: string;
  /** What makes the command, in a task file in TypeScript; `command` is its source then. */
  readonly commandCall?: (scope: Scope) => string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly creates: string | undefined;
}

/** A local script to run on the host. */
export interface PlannedScript extends PlannedStepBase {
  readonly kind: "script";
  /** As the task file has it. */
  readonly path: string;
  readonly content: string;
  readonly interpreter: string;
  readonly args: readonly string[];
}

/** A copy to the host: `from` is an absolute local path, `to` a remote one. */
export interface PlannedCopy extends PlannedStepBase {
  readonly kind: "copy";
  readonly from: string;
  readonly to: string;
  readonly creates: string | undefined;
  readonly mode?: number;
  readonly owner?: string;
  readonly exclude?: readonly string[];
}

/** A filled-in file for the host. */
export interface PlannedTemplate extends PlannedStepBase {
  readonly kind: "template";
  /** Absolute local path of the template. */
  readonly from: string;
  readonly to: string;
  /** The file's new content; the template itself where `late` is set. */
  readonly content: string;
  readonly escape: "html" | "shell" | "json" | "none";
  readonly mode?: number;
  readonly owner?: string;
}

/** A copy from the host: `from` is a remote path, `to` an absolute local one. */
export interface PlannedFetch extends PlannedStepBase {
  readonly kind: "fetch";
  readonly from: string;
  readonly to: string;
}

/** Something to wait for: one of the three. */
export interface PlannedWait extends PlannedStepBase {
  readonly kind: "wait";
  readonly port?: string;
  readonly file?: string;
  readonly command?: string;
  readonly intervalMs: number;
}

/** A new login. */
export interface PlannedReconnect extends PlannedStepBase {
  readonly kind: "reconnect";
  readonly afterMs: number;
}

/** A question, once in a run. */
export interface PlannedPrompt extends PlannedStepBase {
  readonly kind: "prompt";
  readonly message: string;
  readonly default?: string;
  readonly choices?: readonly string[];
}

/** A question for a yes, once in a run. */
export interface PlannedConfirm extends PlannedStepBase {
  readonly kind: "confirm";
  readonly message: string;
  readonly default?: boolean;
}

/** A planned step that does something itself. */
export type PlannedAction =
  | PlannedExec
  | PlannedScript
  | PlannedCopy
  | PlannedTemplate
  | PlannedFetch
  | PlannedWait
  | PlannedReconnect
  | PlannedPrompt
  | PlannedConfirm;

/** Planned steps that run at once. */
export interface PlannedParallel {
  readonly kind: "parallel";
  readonly step: string;
  readonly title: string;
  readonly steps: readonly PlannedAction[];
}

/** A planned step. */
export type PlannedStep = PlannedAction | PlannedParallel;

/** The actions of a list of steps, those of parallel groups among them, in order. */
export function actionsOf(steps: readonly PlannedStep[]): readonly PlannedAction[] {
  return steps.flatMap((step) => step.kind === "parallel" ? step.steps : [step]);
}

/** A step as a run announces it. */
export function infoOf({ step, kind, title }: PlannedAction): StepInfo {
  return { step, kind, title };
}
