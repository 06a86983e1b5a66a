/** `30s`, `2m`, `1h30m`, `500ms`, or a number of seconds. */
export type Duration = string | number;

/** Variables by name; numbers and booleans become text. */
export type EnvDefinition = Readonly<Record<string, string | number | boolean>>;

/** What expressions see: variables, registered results, `host`, `group`, `hosts`, `job`, `failed`. */
export type Scope = Readonly<Record<string, unknown>>;

/** An expression (see docs/task-file.md), true or false, or in TypeScript a function. */
export type Condition = string | boolean | ((scope: Scope) => boolean);

/** Another account on the host: its name (by sudo), or its name and how to become it. */
export type UserDefinition = string | { readonly name: string; readonly by?: "sudo" | "su" };

/** What every step may say about whether it runs. */
export interface StepDefinitionConditions {
  /** For people; default: what it does. */
  readonly name?: string;
  /** Run the step only where this holds. */
  readonly when?: Condition;
  /** For `--tags` and `--skip-tags`; `always` and `never` have their own meaning there. */
  readonly tags?: string | readonly string[];
}

/** What every step may say that does something. */
export interface StepDefinitionBase extends StepDefinitionConditions {
  /** Added to the job's own. */
  readonly env?: EnvDefinition;
  /** Remote directory to run in, and that relative remote paths start from. */
  readonly cwd?: string;
  /** Become this account for the step; a password is asked for once in a run, where one is needed. */
  readonly user?: UserDefinition;
  /** How long one attempt may take; default: no limit. */
  readonly timeout?: Duration;
  /** Further attempts when one failed; default 0. */
  readonly retries?: number;
  /** Between two attempts; default: 1 s, doubling up to 10 s. */
  readonly delay?: Duration;
  /** Skip the step when this remote path exists; relative to `cwd`, `{host}` is the host's name. */
  readonly creates?: string;
  /** Skip the step when this remote command succeeds. */
  readonly unless?: string;
  /** A name under which later expressions find how the step came out and what it wrote. */
  readonly register?: string;
  /** Go on with the next step when this one failed. */
  readonly ignoreErrors?: boolean;
  /** Steps for when this one failed; it has failed all the same. */
  readonly onFailure?: readonly ActionStepDefinition[];
  /** Show the output only when the step fails. */
  readonly quiet?: boolean;
  /** Show neither command nor output, ever. */
  readonly secret?: boolean;
}

/** A command, as a line for the remote login shell. */
export interface ExecStepDefinition extends StepDefinitionBase {
  /** The command; the account's login shell reads it. In TypeScript it may be a function of the scope. */
  readonly exec: string | ((scope: Scope) => string);
}

/** A local script that runs on the host; nothing of it stays there. */
export interface ScriptStepDefinition extends StepDefinitionBase {
  /** Local path. */
  readonly script: string;
  /** Its arguments. */
  readonly args?: readonly (string | number)[];
  /** The program that reads it, with its options; default: its `#!` line, or `sh`. */
  readonly interpreter?: string;
}

/** A local file or tree to the host. */
export interface CopyStepDefinition extends StepDefinitionBase {
  /** Local path; `{host}` is the host's name. */
  readonly copy: string;
  /** Remote path; `{host}` is the host's name. */
  readonly to: string;
  /** Permission bits for every file, in octal: `"0644"`; default: the source's own. */
  readonly mode?: string;
  /** `user`, `user:group` or `:group`; default: the account that copies. */
  readonly owner?: string;
  /** Names and patterns of what stays here: `.git`, `*.map`, `cache/**`. */
  readonly exclude?: string | readonly string[];
}

/** A local Liquid template, filled in and written to the host. */
export interface TemplateStepDefinition extends StepDefinitionBase {
  /** Local path; `{host}` is the host's name. */
  readonly template: string;
  /** Remote path of the file; `{host}` is the host's name. */
  readonly to: string;
  /** Permission bits, in octal: `"0600"`; default: as the file there, or `"0644"`. */
  readonly mode?: string;
  /** `user`, `user:group` or `:group`. */
  readonly owner?: string;
  /** How values are made safe; default: by the ending of `to` (.html, .xml, .sh, .json), else `none`. */
  readonly escape?: "html" | "shell" | "json" | "none";
}

/** A remote file or tree to this machine. */
export interface FetchStepDefinition extends StepDefinitionBase {
  /** Remote path; `{host}` is the host's name. */
  readonly fetch: string;
  /** Local path; with more than one host it needs `{host}`. */
  readonly to: string;
}

/** What a wait step waits for: one of the three. */
export interface WaitDefinition {
  /** A TCP port that answers, seen from the host: `8080`, `"db1:5432"`. */
  readonly port?: number | string;
  /** A remote path that exists; `{host}` is the host's name. */
  readonly file?: string;
  /** A remote command that succeeds. */
  readonly command?: string;
  /** Between two looks; default 1 s. */
  readonly interval?: Duration;
}

/** Waits for something on the host; `timeout` is for all of it, default 5 m. */
export interface WaitStepDefinition extends StepDefinitionBase {
  /** What for. */
  readonly wait: WaitDefinition;
}

/** A new login: after a reboot, or to see new groups; `timeout` is for all of it, default 5 m. */
export interface ReconnectStepDefinition extends StepDefinitionConditions {
  /** `true`, or how long to wait before the first attempt. */
  readonly reconnect: true | { readonly after?: Duration };
  /** How long to try; default 5 m. */
  readonly timeout?: Duration;
}

/** Asks whoever runs the job, once for all hosts. */
export interface PromptStepDefinition extends StepDefinitionConditions {
  /** The question. */
  readonly prompt: string;
  /** The name under which expressions find the answer. */
  readonly register: string;
  /** The answer where nobody can be asked, and for an empty one. */
  readonly default?: string;
  /** The only answers taken. */
  readonly choices?: readonly string[];
  /** No echo; the answer is in no event. */
  readonly secret?: boolean;
}

/** Asks for a yes, once for all hosts; a no stops the hosts that are not beyond it. */
export interface ConfirmStepDefinition extends StepDefinitionConditions {
  /** The question. */
  readonly confirm: string;
  /** The answer where nobody can be asked, and for an empty one. */
  readonly default?: boolean;
}

/** Steps that run at once on the host's one connection; the group fails when one of them does. */
export interface ParallelStepDefinition extends StepDefinitionConditions {
  /** The steps; groups cannot be nested. */
  readonly parallel: readonly ActionStepDefinition[];
}

/** The steps of another task file, in this place. */
export interface IncludeStepDefinition extends StepDefinitionConditions {
  /** Relative to this file. */
  readonly include: string;
  /** Variables for its steps. */
  readonly vars?: Readonly<Record<string, unknown>>;
}

/** A step that does something on a host. */
export type ActionStepDefinition =
  | ExecStepDefinition
  | ScriptStepDefinition
  | CopyStepDefinition
  | TemplateStepDefinition
  | FetchStepDefinition
  | WaitStepDefinition;

/** One step as a task file says it. */
export type StepDefinition =
  | ActionStepDefinition
  | ReconnectStepDefinition
  | PromptStepDefinition
  | ConfirmStepDefinition
  | ParallelStepDefinition
  | IncludeStepDefinition;
