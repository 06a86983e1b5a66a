import { CarpoolError, CopyError, type Outcome } from "../base/errors.ts";
import { dirname } from "../deps/node_path.ts";
import type { ErrorInfo, RunEvent, StepEndEvent } from "../base/run_event.ts";
import { delay } from "../deps/std_async.ts";
import { quotePath } from "../host/command_line.ts";
import type { JobHost } from "./job_host.ts";
import type { PlannedAction, PlannedCopy, PlannedExec, PlannedFetch } from "./planned.ts";
import type { Settlement, StepLedger } from "./resume.ts";

/** Attempts that nobody asked for, because the command had not been started. */
const ownRetries = 2;

/** What the steps of one host share. */
export interface StepContext {
  readonly host: string;
  /** The host's connection; a new one where it was lost and no command was under way. */
  connection(): Promise<JobHost>;
  emit(event: RunEvent): Promise<void>;
  readonly signal: AbortSignal;
  /** Before the first retry; doubles with each. */
  readonly retryDelayMs: number;
  /** What an earlier sitting of the run did already. */
  readonly ledger?: StepLedger;
}

/** How a step came out; `skipped` where its guard said so. */
export type StepResult = Omit<StepEndEvent, "type" | "atMs"> | { readonly status: "skipped" };

/** How one attempt came out. */
interface Attempt {
  readonly status: "ok" | "failed" | "unknown" | "not-started" | "interrupted";
  readonly outcome: Outcome | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly bytes: number;
  readonly error?: ErrorInfo;
}

/** An error for an event. */
export function errorInfo(error: unknown): ErrorInfo {
  if (error instanceof CarpoolError) return { code: error.code, message: error.message };
  return { code: "error", message: error instanceof Error ? error.message : String(error) };
}

/** Runs one step with its guard and its retries, telling everything as events. Never rejects for what a host does. */
export async function runStep(action: PlannedAction, context: StepContext): Promise<StepResult> {
  const { emit, signal, host } = context;
  const { step, kind, title } = action;
  const startedAtMs = Date.now();
  const at = () => ({ atMs: Date.now(), host, step });
  const settled = context.ledger?.settled(host, step);
  if (settled) return await tellSettled(settled, action, context);
  let announced = false;
  let attempts = 0;
  for (let ownAttempts = 0;;) {
    let result: Attempt;
    try {
      if (await alreadyThere(action, context)) {
        const reason = `${"creates" in action ? action.creates : ""} exists`;
        await emit({ type: "step-skip", ...at(), kind, title, reason });
        return { status: "skipped" };
      }
      if (!announced) await emit({ type: "step-start", ...at(), kind, title });
      announced = true;
      attempts++;
      const connection = await context.connection();
      result = await (action.kind === "exec"
        ? execOnce(connection, action, context)
        : copyOnce(connection, action as PlannedCopy | PlannedFetch, context));
    } catch (error) {
      result = fromError(error, action, signal);
    }
    if (!announced) await emit({ type: "step-start", ...at(), kind, title });
    announced = true;
    const retryDelayMs = Math.min(context.retryDelayMs * 2 ** Math.max(0, attempts - 1), 10_000);
    const again = result.status === "not-started"
      ? ownAttempts++ < ownRetries
      : result.status === "failed" && attempts - ownAttempts <= action.retries;
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

/** Tells of a step that an earlier sitting of the run did already, or began without anybody knowing its end. */
export async function tellSettled(
  settled: Settlement,
  { step, kind, title }: PlannedAction,
  { emit, host }: StepContext,
): Promise<StepResult> {
  const at = { atMs: Date.now(), host, step };
  if (settled.kind === "done") {
    await emit({ type: "step-skip", ...at, kind, title, reason: settled.reason });
    return { status: "skipped" };
  }
  const error = { code: "may-have-run", message: settled.why };
  const nothing = { outcome: "unknown", code: null, signal: null, timedOut: false, attempts: 0 } as const;
  const end = { ...nothing, host, step, status: "unknown", durationMs: 0, bytes: 0, error } as const;
  await emit({ type: "step-start", ...at, kind, title });
  await emit({ type: "step-end", ...at, ...end });
  return end;
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

async function alreadyThere(action: PlannedAction, context: StepContext): Promise<boolean> {
  if (action.kind === "fetch" || action.creates === undefined) return false;
  const path = quotePath(action.creates);
  const cwd = action.kind === "exec" ? action.cwd : undefined;
  const connection = await context.connection();
  // A guard changes nothing, so whatever ends it the step itself has not begun.
  const { success } = await guarded(
    connection.exec(`test -e ${path}`, { cwd, signal: context.signal }),
    context.signal,
  );
  return success;
}

async function guarded<T>(guard: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await guard;
  } catch (cause) {
    if (signal.aborted) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CarpoolError("guard-failed", {
      what: "Cannot tell whether the step is needed",
      why,
      outcome: "not-started",
      cause,
    });
  }
}

async function execOnce(host: JobHost, action: PlannedExec, context: StepContext): Promise<Attempt> {
  const { env, cwd, timeoutMs } = action;
  const { signal, emit } = context;
  const process = await host.spawn(action.command, { env, cwd, timeoutMs, signal });
  // A command that reads its input must see its end, not wait for us.
  process.stdin.close().catch(() => {/* it has ended already */});
  let bytes = 0;
  const pump = async (stream: "stdout" | "stderr") => {
    const decoder = new TextDecoder();
    const tell = async (text: string) => {
      if (text === "") return;
      await emit({
        type: "step-output",
        atMs: Date.now(),
        host: context.host,
        step: action.step,
        stream,
        text,
      });
    };
    for await (const chunk of process[stream]) {
      bytes += chunk.byteLength;
      await tell(decoder.decode(chunk, { stream: true }));
    }
    await tell(decoder.decode());
  };
  const pumped = await Promise.allSettled([pump("stdout"), pump("stderr")]);
  const status = await process.status;
  const { outcome, code, timedOut = false, error } = status;
  const ended = {
    outcome,
    code,
    signal: status.signal,
    timedOut,
    bytes,
    ...(error === undefined ? {} : { error: errorInfo(error) }),
  };
  if (outcome === "not-started") return { ...ended, status: "not-started" };
  if (signal.aborted && !status.success) return { ...ended, status: "interrupted" };
  if (outcome === "unknown") return { ...ended, status: "unknown" };
  if (status.success && pumped.some((one) => one.status === "rejected")) {
    return { ...ended, status: "failed", error: { code: "output-lost", message: "its output was cut off" } };
  }
  return { ...ended, status: status.success && !timedOut ? "ok" : "failed" };
}

async function copyOnce(
  host: JobHost,
  action: PlannedCopy | PlannedFetch,
  context: StepContext,
): Promise<Attempt> {
  const timeout = new AbortController();
  const timer = action.timeoutMs === undefined
    ? undefined
    : setTimeout(() => timeout.abort(), action.timeoutMs);
  let toldAtMs = Date.now();
  const options = {
    signal: AbortSignal.any([context.signal, timeout.signal]),
    onProgress: (
      progress: { readonly path: string; readonly bytes: number; readonly totalBytes: number },
    ) => {
      // Five a second are enough for any eye, and a copy makes thousands.
      if (Date.now() - toldAtMs < 200) return;
      toldAtMs = Date.now();
      const { path, bytes, totalBytes } = progress;
      const event = { host: context.host, step: action.step, path, bytes, totalBytes };
      // Progress is not worth waiting for; the queue bounds it by the clock above.
      void context.emit({ type: "step-progress", atMs: toldAtMs, ...event });
    },
  };
  try {
    if (action.kind === "fetch") await makeParents(action.to);
    const done = await host[action.kind](action.from, action.to, options);
    return { status: "ok", outcome: null, code: null, signal: null, timedOut: false, bytes: done.bytes };
  } catch (error) {
    const timedOut = timeout.signal.aborted && !context.signal.aborted;
    return { ...fromError(error, action, context.signal), timedOut };
  } finally {
    clearTimeout(timer);
  }
}

/** `to: ./logs/{host}.log` works in a fresh checkout: the directories above the file are made. */
async function makeParents(path: string): Promise<void> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw new CopyError("local-failed", {
      what: "Cannot make the local directory",
      where: dirname(path),
      why: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

function fromError(error: unknown, action: PlannedAction, signal: AbortSignal): Attempt {
  const outcome = error instanceof CarpoolError ? error.outcome ?? null : null;
  const attempt = { outcome, code: null, signal: null, timedOut: false, bytes: 0, error: errorInfo(error) };
  if (signal.aborted) {
    return {
      ...attempt,
      status: "interrupted",
      error: { code: "interrupted", message: "stopped from here" },
    };
  }
  if (outcome === "not-started") return { ...attempt, status: "not-started" };
  // A command that no outcome is known of may have run. A copy works under another name until it is whole.
  if (outcome === "unknown" || action.kind === "exec") {
    return { ...attempt, outcome: "unknown", status: "unknown" };
  }
  return { ...attempt, status: "failed" };
}
