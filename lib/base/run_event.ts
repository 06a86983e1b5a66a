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
  /**
   * Its place in the job, from 1: `3`; `4.2` for the second step of a parallel group; `before.1`, `after.1`,
   * `finally.1` in those parts of the job; `3.onFailure.1` for what follows the failure of step 3.
   */
  readonly step: string;
}

/** What a step does; further kinds may appear. */
export type StepKind =
  | "exec"
  | "script"
  | "copy"
  | "template"
  | "fetch"
  | "wait"
  | "reconnect"
  | "prompt"
  | "confirm";

/** A step as the run announces it. */
export interface StepInfo {
  /** Its place in the job, as in {@linkcode StepEventBase}. */
  readonly step: string;
  /** What it does. */
  readonly kind: StepKind;
  /** Its name, or where it has none what it does. */
  readonly title: string;
}

/** The run begins. */
export interface RunStartEvent extends EventBase {
  /** Tells this event from the others. */
  readonly type: "run-start";
  /** Which version of these events the run speaks: {@linkcode runEventVersion}. */
  readonly version: 1;
  /** The job's name. */
  readonly job: string;
  /** Every host of the run, in the order of the plan. */
  readonly hosts: readonly string[];
  /** Every step of the job, those of parallel groups among them. */
  readonly steps: readonly StepInfo[];
}

/** A connection to this host is being asked for. */
export interface HostStartEvent extends HostEventBase {
  /** Tells this event from the others. */
  readonly type: "host-start";
}

/**
 * How a host's connection came about: `new`, opened for this run; `carpool-master` or `openssh-master`, a live one
 * that this run rides.
 */
export type ConnectionKind = "new" | "carpool-master" | "openssh-master";

/** The host can take steps. A second one for the same host means that it was connected again. */
export interface HostReadyEvent extends HostEventBase {
  /** Tells this event from the others. */
  readonly type: "host-ready";
  /** `user@host:port`, after ssh_config. */
  readonly where: string;
  /** How it is connected. */
  readonly connection: ConnectionKind;
  /** From asking for the connection to having it, in milliseconds. */
  readonly durationMs: number;
}

/** What went wrong, for people and for programs. */
export interface ErrorInfo {
  /** The stable code of the CarpoolError: `refused`, `auth-failed`. */
  readonly code: string;
  /** What failed, where, why, and what to do. */
  readonly message: string;
}

/** No connection to this host could be had. */
export interface HostUnreachableEvent extends HostEventBase {
  /** Tells this event from the others. */
  readonly type: "host-unreachable";
  /** Why not. */
  readonly error: ErrorInfo;
}

/** A step begins. */
export interface StepStartEvent extends StepEventBase {
  /** Tells this event from the others. */
  readonly type: "step-start";
  /** What the step does. */
  readonly kind: StepInfo["kind"];
  /** Its name, or where it has none what it does. */
  readonly title: string;
}

/** A piece of a step's output, as it arrived: not lines. Bytes that are not UTF-8 became U+FFFD. */
export interface StepOutputEvent extends StepEventBase {
  /** Tells this event from the others. */
  readonly type: "step-output";
  /** Which of the two streams wrote it. */
  readonly stream: "stdout" | "stderr";
  /** Untouched: terminal control sequences are still in it. */
  readonly text: string;
}

/** How far a copy or fetch has come. */
export interface StepProgressEvent extends StepEventBase {
  /** Tells this event from the others. */
  readonly type: "step-progress";
  /** The file under way, relative to the source; its name for a single file. */
  readonly path: string;
  /** Moved so far, of all files together. */
  readonly bytes: number;
  /** To be moved, of all files together. */
  readonly totalBytes: number;
}

/** An attempt did not succeed and another follows. */
export interface StepRetryEvent extends StepEventBase {
  /** Tells this event from the others. */
  readonly type: "step-retry";
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  /** Why it failed, in words. */
  readonly why: string;
  /** Until the next attempt, in milliseconds. */
  readonly delayMs: number;
}

/** The step was not needed. */
export interface StepSkipEvent extends StepEventBase {
  /** Tells this event from the others. */
  readonly type: "step-skip";
  /** What the step does. */
  readonly kind: StepInfo["kind"];
  /** Its name, or where it has none what it does. */
  readonly title: string;
  /** Why it was not needed: what `creates` names is there, `unless` succeeded, `when` does not hold. */
  readonly reason: string;
}

/**
 * What became of a step: `ok`; `failed`, and known to have; `unknown`, when the connection was lost before the host
 * told how it ended: it may have run to its end; `interrupted`, stopped from here.
 */
export type StepStatus = "ok" | "failed" | "unknown" | "interrupted";

/** A step has ended, after all its attempts. */
export interface StepEndEvent extends StepEventBase {
  /** Tells this event from the others. */
  readonly type: "step-end";
  /** What became of it. */
  readonly status: StepStatus;
  /** Of the last attempt; null for a copy or fetch, which has none unless it was not started or is unknown. */
  readonly outcome: Outcome | null;
  /** The exit status, where the outcome is `exited` and the step a command. */
  readonly code: number | null;
  /** The signal's name without SIG, where the outcome is `signalled`. */
  readonly signal: string | null;
  /** Whether the last attempt ran out of its `timeout`. */
  readonly timedOut: boolean;
  /** How often it was tried: 1, and one more for each retry. */
  readonly attempts: number;
  /** From the start of the first attempt, in milliseconds. */
  readonly durationMs: number;
  /** Bytes of output of the last attempt, or bytes of file content copied. */
  readonly bytes: number;
  /** Why, unless it is `ok`. */
  readonly error?: ErrorInfo;
  /** There, and true, where it failed and the job says to go on. */
  readonly ignored?: true;
}

/**
 * How a host came out: `ok`; `failed`, at its first step that was not ok; `unreachable`; `skipped`, never begun;
 * `interrupted`, stopped from here.
 */
export type HostStatus = "ok" | "failed" | "unreachable" | "skipped" | "interrupted";

/** This host is done. */
export interface HostEndEvent extends HostEventBase {
  /** Tells this event from the others. */
  readonly type: "host-end";
  /** How the host came out. */
  readonly status: HostStatus;
  /** Why, unless it is `ok`. */
  readonly reason?: string;
  /** Its steps by what became of them. */
  readonly steps: StepCounts;
  /** Connections opened for this host in this run. */
  readonly connections: number;
  /**
   * The shortest round trip to the host that this run saw, in milliseconds, with the host's own part in it; not there
   * where none was seen.
   */
  readonly rttMs?: number;
  /** From `host-start`, in milliseconds; 0 for a host that was never begun. */
  readonly durationMs: number;
}

/** A host's steps by what became of them; `notRun` were not reached. */
export interface StepCounts {
  /** Done, and well. */
  readonly ok: number;
  /** Failed after all attempts, or stopped from here. */
  readonly failed: number;
  /** Failed, and the job says to go on; not there where it is 0. */
  readonly ignored?: number;
  /** May have run: the connection was lost first. */
  readonly unknown: number;
  /** Not needed. */
  readonly skipped: number;
  /** Not reached, because an earlier one was not ok. */
  readonly notRun: number;
}

/** The run is over. */
export interface RunEndEvent extends EventBase {
  /** Tells this event from the others. */
  readonly type: "run-end";
  /** The job's name. */
  readonly job: string;
  /** `interrupted` wins over `failed`, that over `unreachable`, that over `ok`. */
  readonly status: "ok" | "failed" | "unreachable" | "interrupted";
  /** How many hosts came out which way. */
  readonly hosts: Readonly<Record<HostStatus, number>>;
  /** Connections opened in this run. */
  readonly connections: number;
  /** Of the whole run, in milliseconds. */
  readonly durationMs: number;
}
