import type { Step } from "./step.ts";
import type { EnvDefinition, StepDefinition } from "./step_definition.ts";

/** A value of a task file: plain data. */
export type VarValue = string | number | boolean | null | readonly VarValue[];

/** Where a variable's value comes from, when it does not stand in the task file itself. */
export interface VarSource {
  /** The value itself; it may be a map here. */
  readonly value?: unknown;
  /** The environment variable of this machine that has it. */
  readonly env?: string;
  /** The local file that has it, relative to the task file; a line end at its end does not count. */
  readonly file?: string;
  /** Where neither is there; without it that is an error. */
  readonly default?: unknown;
  /** Keep it out of every event and report; default false. */
  readonly secret?: boolean;
}

/** Variables of expressions, by name. */
export type VarsDefinition = Readonly<Record<string, VarValue | VarSource>>;

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
  /** `free` (default): each host at its own pace; `linear`: a step begins when all hosts have done the one before. */
  readonly order?: "free" | "linear";
}

/** A task file's content, in YAML or as the argument of {@linkcode job}. */
export interface JobDefinition {
  /** For people; default: the file's name. */
  readonly name?: string;
  /** Inventory groups, ssh_config aliases, `user@host:port`, `web[01-20]`; may be left to whoever runs it. */
  readonly hosts?: string | readonly string[];
  /** How it goes over its hosts; default: all of them, 32 at a time. */
  readonly strategy?: StrategyDefinition;
  /** Environment variables of every command. */
  readonly env?: EnvDefinition;
  /** Variables of expressions; `--vars-file` and `--var` come before them. */
  readonly vars?: VarsDefinition;
  /** Done on each host before `steps`. */
  readonly before?: readonly StepDefinition[];
  /** What is done on each host, in this order. */
  readonly steps: readonly StepDefinition[];
  /** Done on each host where all `steps` were well. */
  readonly after?: readonly StepDefinition[];
  /** Done last on each host that was reached, whatever happened; expressions see `failed`. */
  readonly finally?: readonly StepDefinition[];
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
  /** Environment variables of every command, as text. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of expressions: where each comes from. */
  readonly vars?: Readonly<Record<string, VarSource>>;
  /** Done on each host before `steps`. */
  readonly before?: readonly Step[];
  /** What is done on each host, in this order. */
  readonly steps: readonly Step[];
  /** Done on each host where all `steps` were well. */
  readonly after?: readonly Step[];
  /** Done last on each host that was reached, whatever happened. */
  readonly finally?: readonly Step[];
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
  /** Whether the hosts of a batch wait for each other after each step; default `free`. */
  readonly order?: "free" | "linear";
}
