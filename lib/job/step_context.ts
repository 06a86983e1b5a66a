import type { RunEvent, StepEndEvent } from "../base/run_event.ts";
import type { HostScope } from "./host_scope.ts";
import type { JobHost } from "./job_host.ts";
import type { Questions } from "./questions.ts";
import type { StepLedger } from "./resume.ts";

/** What the steps of one host share. */
export interface StepContext {
  readonly host: string;
  /** The host's connection; a new one where it was lost and no command was under way. */
  connection(): Promise<JobHost>;
  /** Logs in anew, after a while; tries until `timeoutMs` have passed. */
  reconnect(afterMs: number, timeoutMs: number): Promise<void>;
  emit(event: RunEvent): Promise<void>;
  readonly signal: AbortSignal;
  /** Before the first retry; doubles with each. */
  readonly retryDelayMs: number;
  /** What an earlier sitting of the run did already. */
  readonly ledger?: StepLedger;
  /** What expressions see. */
  readonly scope: HostScope;
  /** Whether a text has something in it that must not be seen in a process list; default: none has. */
  readonly hides?: (text: string) => boolean;
  /** What is asked of whoever started the run. */
  readonly questions: Questions;
}

/** How a step came out; `skipped` where its guard said so. */
export type StepResult = Omit<StepEndEvent, "type" | "atMs"> | { readonly status: "skipped" };
