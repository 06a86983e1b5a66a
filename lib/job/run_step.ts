import { delay } from "../deps/std_async.ts";
import { type Attempt, errorInfo, fromError, mayRepeat, whyOf } from "./attempt.ts";
import type { PlannedAction } from "./planned.ts";
import type { Settlement } from "./resume.ts";
import { notNeeded, runAction } from "./run_action.ts";
import type { StepContext, StepResult } from "./step_context.ts";

export { errorInfo, type StepContext, type StepResult, whyOf };

/** Attempts that nobody asked for, because the command had not been started. */
const ownRetries = 2;

/** Runs one step with its guard and its retries, telling everything as events. Never rejects for what a host does. */
export async function runStep(planned: PlannedAction, context: StepContext): Promise<StepResult> {
  const { emit, signal, host } = context;
  const { step, kind } = planned;
  const startedAtMs = Date.now();
  const at = () => ({ atMs: Date.now(), host, step });
  const settled = context.ledger?.settled(host, step);
  // An answer is in no journal: who resumes is asked again.
  if (settled && kind !== "prompt") return await tellSettled(settled, planned, context);
  const skip = async (reason: string): Promise<StepResult> => {
    await emit({ type: "step-skip", ...at(), kind, title: planned.title, reason });
    return { status: "skipped" };
  };
  if (planned.skip !== undefined) return await skip(planned.skip);
  let action = planned;
  let wrong: Attempt | undefined;
  try {
    const unmet = await conditionOf(planned, context);
    if (unmet !== undefined) return await skip(unmet);
    if (planned.late) {
      const { fillLate } = await import("./fill.ts");
      action = await fillLate(planned, context.scope.values(planned));
    }
  } catch (error) {
    wrong = { ...fromError(error, planned, signal), status: "failed", outcome: null };
  }
  const { title } = action;
  let announced = false;
  let attempts = 0;
  for (let ownAttempts = 0;;) {
    let result: Attempt;
    try {
      const reason = wrong ? undefined : await notNeeded(action, context);
      if (reason !== undefined) return await skip(reason);
      if (!announced) await emit({ type: "step-start", ...at(), kind, title });
      announced = true;
      attempts++;
      result = wrong ?? await runAction(action, context);
    } catch (error) {
      result = fromError(error, action, signal);
    }
    if (!announced) await emit({ type: "step-start", ...at(), kind, title });
    announced = true;
    const retryDelayMs = action.delayMs ??
      Math.min(context.retryDelayMs * 2 ** Math.max(0, attempts - 1), 10_000);
    const again = mayRepeat(result) && wrong === undefined &&
      (result.status === "not-started"
        ? ownAttempts++ < ownRetries
        : result.status === "failed" && attempts - ownAttempts <= action.retries);
    if (again && !signal.aborted) {
      await emit({
        type: "step-retry",
        ...at(),
        attempt: attempts,
        why: whyOf(result),
        delayMs: retryDelayMs,
      });
      try {
        await delay(retryDelayMs, { signal });
        continue;
      } catch {
        result = { ...result, status: "interrupted" };
      }
    }
    const status = result.status === "not-started" ? "failed" : result.status;
    const end = { ...result, host, step, status, attempts, durationMs: Date.now() - startedAtMs };
    await emit({ type: "step-end", atMs: Date.now(), ...end });
    return end;
  }
}

async function conditionOf(action: PlannedAction, context: StepContext): Promise<string | undefined> {
  if (action.when === undefined && action.whenCalls === undefined) return undefined;
  const { unmetCondition } = await import("./fill.ts");
  return unmetCondition(action, context.scope.values(action));
}

/** Tells of a step that an earlier sitting of the run did already, or began without anybody knowing its end. */
export async function tellSettled(
  settled: Settlement,
  { step, kind, title, register }: PlannedAction,
  { emit, host, scope }: StepContext,
): Promise<StepResult> {
  const at = { atMs: Date.now(), host, step };
  if (settled.kind === "done") {
    await emit({ type: "step-skip", ...at, kind, title, reason: settled.reason });
    // After the event, which says that a skipped step has registered nothing.
    if (register !== undefined && settled.registered !== undefined) scope.set(register, settled.registered);
    return { status: "skipped" };
  }
  const [code, outcome, status] = settled.kind === "doubtful"
    ? ["may-have-run", "unknown", "unknown"] as const
    : ["value-not-kept", "not-started", "failed"] as const;
  const error = { code, message: settled.why };
  const nothing = {
    code: null,
    signal: null,
    timedOut: false,
    attempts: 0,
    durationMs: 0,
    bytes: 0,
  } as const;
  const end = { ...nothing, host, step, status, outcome, error };
  await emit({ type: "step-start", ...at, kind, title });
  await emit({ type: "step-end", ...at, ...end });
  return end;
}
