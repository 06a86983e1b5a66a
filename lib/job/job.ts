/** `30s`, `2m`, `1h30m`, `500ms`, or a number of seconds. */
export type Duration = string | number;

/** A count of hosts, or a share of the run's hosts: `5`, `"25%"`. */
export type HostShare = number | string;

/** How a job goes over its hosts. */
export interface StrategyDefinition {
  /** Hosts worked on at once; default 32. */
  readonly parallel?: number;
  /** Hosts go in batches of this size, each begun when the one before is done; default: all in one. */
  readonly batch?: HostShare;
  /** More failed hosts than this, and no further host is begun; default: no limit. */
  readonly maxFailures?: HostShare;
  /** More unreachable hosts than this, and no further host is begun; default: no limit. */
  readonly maxUnreachable?: HostShare;
}

/** Variables by name; numbers and booleans become text. */
export type EnvDefinition = Readonly<Record<string, string | number | boolean>>;

/** What every step may say. */
export interface StepDefinitionBase {
  /** For people; default: what it does. */
  readonly name?: string;
  /** How long one attempt may take; default: no limit. */
  readonly timeout?: Duration;
  /** Further attempts when one failed; default 0. */
  readonly retries?: number;
}

/** A command, as a line for the remote login shell. */
export interface ExecStepDefinition extends StepDefinitionBase {
  /** The command; `sh`, `bash` or whatever the account's login shell is reads it. */
  readonly exec: string;
  /** Added to the job's own. */
  readonly env?: EnvDefinition;
  /** Remote directory to run in. */
  readonly cwd?: string;
  /** Skip the step when this remote path exists; relative to `cwd`. */
  readonly creates?: string;
}

/** A local file or tree to the host. */
export interface CopyStepDefinition extends StepDefinitionBase {
  /** Local path; `{host}` is the host's name. */
  readonly copy: string;
  /** Remote path; `{host}` is the host's name. */
  readonly to: string;
  /** Skip the step when this remote path exists. */
  readonly creates?: string;
}

/** A remote file or tree to this machine. */
export interface FetchStepDefinition extends StepDefinitionBase {
  /** Remote path; `{host}` is the host's name. */
  readonly fetch: string;
  /** Local path; with more than one host it needs `{host}`. */
  readonly to: string;
}

/** Steps that run at once on the host's one connection; the group fails when one of them does. */
export interface ParallelStepDefinition {
  /** The steps; groups cannot be nested. */
  readonly parallel: readonly (ExecStepDefinition | CopyStepDefinition | FetchStepDefinition)[];
  /** For people; default: how many steps it has. */
  readonly name?: string;
}

/** One step as a task file says it. */
export type StepDefinition =
  | ExecStepDefinition
  | CopyStepDefinition
  | FetchStepDefinition
  | ParallelStepDefinition;

/** A task file's content, in YAML or as the argument of {@linkcode job}. */
export interface JobDefinition {
  /** For people; default: the file's name. */
  readonly name?: string;
  /** Inventory groups, ssh_config aliases, `user@host:port`, `web[01-20]`; may be left to whoever runs it. */
  readonly hosts?: string | readonly string[];
  /** How it goes over its hosts; default: all of them, 32 at a time. */
  readonly strategy?: StrategyDefinition;
  /** Variables of every exec step. */
  readonly env?: EnvDefinition;
  /** What is done on each host, in this order. */
  readonly steps: readonly StepDefinition[];
}

/**
 * Says that an object is a job, so that an editor checks it; a task file in TypeScript is
 * `export default job({ … })`.
 *
 * @example
 * ```ts
 * const uptime = job({ name: "uptime", hosts: ["web[01-20]"], steps: [{ exec: "uptime" }] });
 * ```
 */
export function job(definition: JobDefinition): JobDefinition {
  return definition;
}

/** A job that has been checked: defaults filled in, durations in milliseconds. */
export interface Job {
  /** What tells a checked job from a {@linkcode JobDefinition}. */
  readonly checked: true;
  /** What reports call it. */
  readonly name: string;
  /** The task file; undefined for a job that was written in code. */
  readonly file: string | undefined;
  /** As written: groups and ranges still to be resolved; empty where whoever runs it must say. */
  readonly hosts: readonly string[];
  /** How it goes over its hosts. */
  readonly strategy: Strategy;
  /** Variables of every exec step, as text. */
  readonly env: Readonly<Record<string, string>>;
  /** What is done on each host, in this order. */
  readonly steps: readonly Step[];
}

/** {@linkcode StrategyDefinition} with its defaults. */
export interface Strategy {
  /** Hosts worked on at once. */
  readonly parallel: number;
  /** Hosts in a batch; undefined: all in one. */
  readonly batch: HostShare | undefined;
  /** Failed hosts that do not stop the run; undefined: any number. */
  readonly maxFailures: HostShare | undefined;
  /** Unreachable hosts that do not stop the run; undefined: any number. */
  readonly maxUnreachable: HostShare | undefined;
}

/** What every checked step has. */
export interface StepBase {
  /** For people; undefined where the task file gives none. */
  readonly name: string | undefined;
  /** How long one attempt may take, in milliseconds; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** Further attempts when one failed. */
  readonly retries: number;
  /** `deploy.yaml:12:5`, or `steps[2]` where there is no file. */
  readonly where: string;
}

/** A checked {@linkcode ExecStepDefinition}. */
export interface ExecStep extends StepBase {
  /** Tells it from the other steps. */
  readonly kind: "exec";
  /** A line for the remote login shell. */
  readonly command: string;
  /** Added to the job's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Remote directory to run in; undefined: the login directory. */
  readonly cwd: string | undefined;
  /** A remote path that makes the step unnecessary; relative to `cwd`. */
  readonly creates: string | undefined;
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

/** A checked step that does something itself. */
export type ActionStep = ExecStep | CopyStep | FetchStep;

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
