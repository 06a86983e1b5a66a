import { CarpoolError, type Outcome } from "../base/errors.ts";
import type { ErrorInfo } from "../base/run_event.ts";
import type { PlannedAction } from "./planned.ts";

/** How one attempt of a step came out. */
export interface Attempt {
  readonly status: "ok" | "failed" | "unknown" | "not-started" | "interrupted";
  readonly outcome: Outcome | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly bytes: number;
  readonly error?: ErrorInfo;
}

/** Errors that another attempt would meet again: somebody said no, or the task file is wrong. */
const lasting: ReadonlySet<string> = new Set([
  ...["declined", "no-password", "password-refused", "bad-expression", "bad-template", "usage", "bad-value"],
]);

/** Whether trying again can help. */
export function mayRepeat(attempt: Attempt): boolean {
  return attempt.error === undefined || !lasting.has(attempt.error.code);
}

/** An attempt that went well without a command of its own. */
export function done(bytes = 0): Attempt {
  return { status: "ok", outcome: null, code: null, signal: null, timedOut: false, bytes };
}

/** An error for an event. */
export function errorInfo(error: unknown): ErrorInfo {
  if (error instanceof CarpoolError) return { code: error.code, message: error.message };
  return { code: "error", message: error instanceof Error ? error.message : String(error) };
}

/** In words, why an attempt was not good enough. */
export function whyOf(result: Pick<Attempt, "outcome" | "code" | "signal" | "timedOut" | "error">): string {
  if (result.timedOut) return "timed out";
  if (result.error) return result.error.message;
  if (result.outcome === "exited") return `exit status ${result.code}`;
  if (result.outcome === "signalled") return `ended by SIG${result.signal}`;
  if (result.outcome === "unknown") return "the connection was lost before the host told how it ended";
  return "not started";
}

/** What an error makes of an attempt. */
export function fromError(error: unknown, action: PlannedAction, signal: AbortSignal): Attempt {
  const outcome = error instanceof CarpoolError ? error.outcome ?? null : null;
  const attempt = { outcome, code: null, signal: null, timedOut: false, bytes: 0, error: errorInfo(error) };
  if (signal.aborted) {
    // A command's end is told by its status: what is thrown with the signal's own reason came before its beginning.
    const unbegun = error === signal.reason && (action.kind === "exec" || action.kind === "script");
    return {
      ...attempt,
      outcome: unbegun ? "not-started" : outcome,
      status: "interrupted",
      error: { code: "interrupted", message: "stopped from here" },
    };
  }
  if (outcome === "not-started") return { ...attempt, status: "not-started" };
  // A command that no outcome is known of may have run. A copy works under another name until it is whole.
  if (outcome === "unknown" || action.kind === "exec" || action.kind === "script") {
    return { ...attempt, outcome: "unknown", status: "unknown" };
  }
  return { ...attempt, status: "failed" };
}
