import type { Outcome } from "./errors.ts";

/**
 * The version of this vocabulary, in every `run-start`. It grows when a field changes its meaning or goes; new event
 * types and new fields may appear without that, so readers skip what they do not know.
 */
export const runEventVersion = 1;

/**
 * What happens while a job runs over its hosts: the only thing that reporters see. Every event is plain JSON data;
 * values of environment variables never appear in one.
 *
 * The order for one run: `run-start`; for each host, interleaved with the others, `host-start`, then `host-ready` or
 * `host-unreachable`, then its steps, then `host-end`; `run-end` last. Hosts that were never begun have `host-end`
 * alone. For each step `step-start`, any number of `step-output`, `step-progress` and `step-retry`, then `step-end`;
 * or `step-skip` alone.
 */
export type RunEvent =
  | RunStartEvent
  | HostStartEvent
  | HostReadyEvent
  | HostUnreachableEvent
  | StepStartEvent
  | StepOutputEvent
  | StepProgressEvent
  | StepRetryEvent
  | StepSkipEvent
  | StepEndEvent
  | HostEndEvent
  | RunEndEvent;

/** What every event has. */
export interface EventBase {
  /** Milliseconds since 1970-01-01 UTC. */
  readonly atMs: number;
}

/** What events about one host have. */
export interface HostEventBase extends EventBase {
  /** The host as the run names it: `web01`, `deploy@db1:2222`. */
  readonly host: string;
}

/** What events about one step on one host have. */
export interface StepEventBase extends HostEventBase {
  /** Its place in the job, from 1: `3`, and `4.2` for the second step of a parallel group. */
  readonly step: string;
}

/** A step as the run announces it. */
export interface StepInfo {
  /** Its place in the job, from 1: `3`, or `4.2` inside a parallel group. */
  readonly step: string;
  readonly kind: "exec" | "copy" | "fetch";
  /** Its name, or where it has none what it does. */
  readonly title: string;
}

/** The run begins. */
export interface RunStartEvent extends EventBase {
  readonly type: "run-start";
  readonly version: typeof runEventVersion;
  readonly job: string;
  readonly hosts: readonly string[];
  readonly steps: readonly StepInfo[];
}

/** A connection to this host is being asked for. */
export interface HostStartEvent extends HostEventBase {
  readonly type: "host-start";
}

/**
 * How a host's connection came about: `new`, opened for this run; `carpool-master` or `openssh-master`, a live one
 * that this run rides.
 */
export type ConnectionKind = "new" | "carpool-master" | "openssh-master";

/** The host can take steps. A second one for the same host means that it was connected again. */
export interface HostReadyEvent extends HostEventBase {
  readonly type: "host-ready";
  /** `user@host:port`, after ssh_config. */
  readonly where: string;
  readonly connection: ConnectionKind;
  readonly durationMs: number;
}

/** What went wrong, for people and for programs. */
export interface ErrorInfo {
  /** The stable code of the CarpoolError: `refused`, `auth-failed`. */
  readonly code: string;
  readonly message: string;
}

/** No connection to this host could be had. */
export interface HostUnreachableEvent extends HostEventBase {
  readonly type: "host-unreachable";
  readonly error: ErrorInfo;
}

/** A step begins. */
export interface StepStartEvent extends StepEventBase {
  readonly type: "step-start";
  readonly kind: StepInfo["kind"];
  readonly title: string;
}

/** A piece of a step's output, as it arrived: not lines. Bytes that are not UTF-8 became U+FFFD. */
export interface StepOutputEvent extends StepEventBase {
  readonly type: "step-output";
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** How far a copy or fetch has come. */
export interface StepProgressEvent extends StepEventBase {
  readonly type: "step-progress";
  readonly path: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** An attempt did not succeed and another follows. */
export interface StepRetryEvent extends StepEventBase {
  readonly type: "step-retry";
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly why: string;
  readonly delayMs: number;
}

/** The step was not needed. */
export interface StepSkipEvent extends StepEventBase {
  readonly type: "step-skip";
  readonly kind: StepInfo["kind"];
  readonly title: string;
  readonly reason: string;
}

/**
 * What became of a step: `ok`; `failed`, and known to have; `unknown`, when the connection was lost before the host
 * told how it ended: it may have run to its end; `interrupted`, stopped from here.
 */
export type StepStatus = "ok" | "failed" | "unknown" | "interrupted";

/** A step has ended, after all its attempts. */
export interface StepEndEvent extends StepEventBase {
  readonly type: "step-end";
  readonly status: StepStatus;
  /** Of the last attempt; null for a copy or fetch, which has none unless it was not started or is unknown. */
  readonly outcome: Outcome | null;
  /** The exit status, where the outcome is `exited` and the step a command. */
  readonly code: number | null;
  /** The signal's name without SIG, where the outcome is `signalled`. */
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly attempts: number;
  /** From the start of the first attempt, in milliseconds. */
  readonly durationMs: number;
  /** Bytes of output of the last attempt, or bytes of file content copied. */
  readonly bytes: number;
  readonly error?: ErrorInfo;
}

/**
 * How a host came out: `ok`; `failed`, at its first step that was not ok; `unreachable`; `skipped`, never begun;
 * `interrupted`, stopped from here.
 */
export type HostStatus = "ok" | "failed" | "unreachable" | "skipped" | "interrupted";

/** This host is done. */
export interface HostEndEvent extends HostEventBase {
  readonly type: "host-end";
  readonly status: HostStatus;
  /** Why, unless it is `ok`. */
  readonly reason?: string;
  readonly steps: StepCounts;
  /** Connections opened for this host in this run. */
  readonly connections: number;
  readonly durationMs: number;
}

/** A host's steps by what became of them; `notRun` were not reached. */
export interface StepCounts {
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
  readonly skipped: number;
  readonly notRun: number;
}

/** The run is over. */
export interface RunEndEvent extends EventBase {
  readonly type: "run-end";
  readonly job: string;
  /** `interrupted` wins over `failed`, that over `unreachable`, that over `ok`. */
  readonly status: "ok" | "failed" | "unreachable" | "interrupted";
  readonly hosts: Readonly<Record<HostStatus, number>>;
  /** Connections opened in this run. */
  readonly connections: number;
  readonly durationMs: number;
}
