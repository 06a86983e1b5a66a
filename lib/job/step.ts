import type { Scope } from "./step_definition.ts";

/** A checked condition: an expression, or a function of a task file in TypeScript. */
export type StepCondition = string | ((scope: Scope) => boolean);

/** Another account on the host. */
export interface StepUser {
  /** The account. */
  readonly name: string;
  /** How to become it. */
  readonly by: "sudo" | "su";
}

/** What every checked step has; `{{ }}` is still in place wherever there is text. */
export interface StepBase {
  /** For people; undefined where the task file gives none. */
  readonly name: string | undefined;
  /** How long one attempt may take, in milliseconds; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** Further attempts when one failed. */
  readonly retries: number;
  /** `deploy.yaml:12:5`, or `steps[2]` where there is no file. */
  readonly where: string;
  /** All of them must hold; undefined: none. */
  readonly when?: readonly StepCondition[];
  /** For `--tags` and `--skip-tags`. */
  readonly tags?: readonly string[];
  /** Variables of the `include` that brought the step, from the outermost in. */
  readonly scopes?: readonly IncludeScope[];
  /** Added to the job's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Remote directory to run in; undefined: the login directory. */
  readonly cwd?: string | undefined;
  /** The account to become. */
  readonly user?: StepUser;
  /** Between two attempts, in milliseconds. */
  readonly delayMs?: number;
  /** A remote path that makes the step unnecessary; relative to `cwd`. */
  readonly creates?: string | undefined;
  /** A remote command whose success makes the step unnecessary. */
  readonly unless?: string;
  /** The name of its result in later expressions. */
  readonly register?: string;
  /** Whether the host goes on when it failed. */
  readonly ignoreErrors?: boolean;
  /** What is done when it failed. */
  readonly onFailure?: readonly ActionStep[];
  /** Whether its output is shown only when it fails. */
  readonly quiet?: boolean;
  /** Whether neither command nor output is ever shown. */
  readonly secret?: boolean;
}

/** Variables that an `include` brings. */
export interface IncludeScope {
  /** Of the included file; the job's own come first. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Of the `include` step. */
  readonly vars: Readonly<Record<string, unknown>>;
}

/** A checked {@linkcode ExecStepDefinition}. */
export interface ExecStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "exec";
  /** A line for the remote login shell, or what makes one. */
  readonly command: string | ((scope: Scope) => string);
  /** Added to the job's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Remote directory to run in; undefined: the login directory. */
  readonly cwd: string | undefined;
  /** A remote path that makes the step unnecessary; relative to `cwd`. */
  readonly creates: string | undefined;
}

/** A checked {@linkcode ScriptStepDefinition}. */
export interface ScriptStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "script";
  /** Local path. */
  readonly path: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** The program that reads it; undefined: what its `#!` line says. */
  readonly interpreter: string | undefined;
}

/** A checked {@linkcode CopyStepDefinition}. */
export interface CopyStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "copy";
  /** Local path; `{host}` still in place. */
  readonly from: string;
  /** Remote path; `{host}` still in place. */
  readonly to: string;
  /** A remote path that makes the step unnecessary. */
  readonly creates: string | undefined;
  /** Permission bits for every file. */
  readonly mode?: number;
  /** `user:group`. */
  readonly owner?: string;
  /** What stays here. */
  readonly exclude?: readonly string[];
}

/** A checked {@linkcode TemplateStepDefinition}. */
export interface TemplateStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "template";
  /** Local path; `{host}` still in place. */
  readonly from: string;
  /** Remote path; `{host}` still in place. */
  readonly to: string;
  /** Permission bits. */
  readonly mode?: number;
  /** `user:group`. */
  readonly owner?: string;
  /** How values are made safe; undefined: by the ending of `to`. */
  readonly escape?: "html" | "shell" | "json" | "none";
}

/** A checked {@linkcode FetchStepDefinition}. */
export interface FetchStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "fetch";
  /** Remote path; `{host}` still in place. */
  readonly from: string;
  /** Local path; `{host}` still in place. */
  readonly to: string;
}

/** A checked {@linkcode WaitStepDefinition}; one of `port`, `file` and `command` is there. */
export interface WaitStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "wait";
  /** `8080` or `db1:5432`, seen from the host. */
  readonly port?: string;
  /** A remote path. */
  readonly file?: string;
  /** A remote command. */
  readonly command?: string;
  /** Between two looks, in milliseconds. */
  readonly intervalMs: number;
}

/** A checked {@linkcode ReconnectStepDefinition}. */
export interface ReconnectStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "reconnect";
  /** Before the first attempt, in milliseconds. */
  readonly afterMs: number;
}

/** A checked {@linkcode PromptStepDefinition}. */
export interface PromptStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "prompt";
  /** The question. */
  readonly message: string;
  /** The answer where nobody can be asked. */
  readonly default?: string;
  /** The only answers taken. */
  readonly choices?: readonly string[];
}

/** A checked {@linkcode ConfirmStepDefinition}. */
export interface ConfirmStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "confirm";
  /** The question. */
  readonly message: string;
  /** The answer where nobody can be asked. */
  readonly default?: boolean;
}

/** A checked step that does something itself. */
export type ActionStep =
  | ExecStep
  | ScriptStep
  | CopyStep
  | TemplateStep
  | FetchStep
  | WaitStep
  | ReconnectStep
  | PromptStep
  | ConfirmStep;

/** A checked {@linkcode ParallelStepDefinition}. */
export interface ParallelStep {
  /** Tells it from the other steps. */
  readonly kind: "parallel";
  /** For people; undefined where the task file gives none. */
  readonly name: string | undefined;
  /** `deploy.yaml:12:5`, or `steps[2]` where there is no file. */
  readonly where: string;
  /** The steps, none of them a group. */
  readonly steps: readonly ActionStep[];
}

/** A checked step. */
export type Step = ActionStep | ParallelStep;
