import type { HostEndEvent, HostStatus, RunEvent } from "../base/run_event.ts";
import { type ActionResult, Fusion } from "./fusion/fusion.ts";
import { HostConnection } from "./host_connection.ts";
import { HostEvents } from "./host_events.ts";
import { HostScope } from "./host_scope.ts";
import type { JobConnect } from "./job_host.ts";
import type { Pace } from "./pace.ts";
import { actionsOf, type PlannedAction, type PlannedHost, type PlannedStep } from "./planned.ts";
import type { Questions } from "./questions.ts";
import type { Redactor } from "./redactor.ts";
import type { StepLedger } from "./resume.ts";
import { errorInfo, runStep, type StepContext, type StepResult, whyOf } from "./run_step.ts";

/** How long `finally` may take after a run was stopped from here. */
const cleanUpMs = 30_000;

/** What came of one host. */
export type HostResult = Omit<HostEndEvent, "type" | "atMs">;

/** What the hosts of a run share. */
export interface HostContext {
  readonly connect: JobConnect;
  readonly signal: AbortSignal;
  readonly retryDelayMs: number;
  emit(event: RunEvent): Promise<void>;
  readonly ledger?: StepLedger;
  /** Whether consecutive steps travel together where they may; default true. */
  readonly fuse?: boolean;
  readonly redactor: Redactor;
  readonly questions: Questions;
  /** Keeps the hosts of a batch together; default: each at its own pace. */
  readonly pace?: Pace;
  /** Told when a host is known to have come out badly, before its `finally`. */
  cameOut?(status: HostStatus): void;
}

/** How the steps of a host came out: why it stopped, or that it did not. */
interface Stop {
  readonly status: HostStatus;
  readonly reason: string;
  readonly step?: { readonly step: string; readonly title: string; readonly why: string };
}

const interrupted: Stop = { status: "interrupted", reason: "stopped from here" };

/** Connects to a host once, runs its steps in order, stops at the first that is not ok. Never rejects for what a host does. */
export async function runHost(planned: PlannedHost, context: HostContext): Promise<HostResult> {
  const { emit, signal, pace } = context;
  const { host } = planned;
  const startedAtMs = Date.now();
  const all = actionsOf([...planned.steps, ...planned.finally ?? []]);
  const counts = { ok: 0, failed: 0, unknown: 0, skipped: 0, notRun: all.length };
  let ignored = 0;
  const scope = new HostScope(planned);
  const { ledger, redactor, questions, retryDelayMs } = context;
  const registered = (step: string, value: unknown) => ledger?.registered(host, step, value);
  const events = new HostEvents(all, { emit, scope, redactor, registered });
  await using line = new HostConnection(host, { ...context, emit: events.emit });
  const end = async (status: HostStatus, reason?: string): Promise<HostResult> => {
    const result: HostResult = {
      host,
      status,
      ...(reason === undefined ? {} : { reason: redactor.text(reason) }),
      steps: { ...counts, ...(ignored > 0 ? { ignored } : {}) },
      connections: line.opened,
      ...(line.rttMs === undefined ? {} : { rttMs: Math.round(line.rttMs * 10) / 10 }),
      durationMs: Date.now() - startedAtMs,
    };
    await emit({ type: "host-end", atMs: Date.now(), ...result });
    return result;
  };
  const count = (result: StepResult, action: PlannedAction) => {
    if (result.status === "interrupted") counts.failed++;
    else if (isIgnored(result, action)) ignored++;
    else counts[result.status]++;
  };
  const hides = (text: string) => redactor.text(text) !== text;
  const steps: StepContext = {
    host,
    emit: events.emit,
    signal,
    retryDelayMs,
    connection: () => line.get(),
    reconnect: (afterMs, timeoutMs) => line.renew(afterMs, timeoutMs),
    ledger,
    scope,
    questions,
    hides,
  };
  const stopOf = async (
    results: readonly ActionResult[],
    context: StepContext,
  ): Promise<Stop | undefined> => {
    const byId = new Map(all.map((action) => [action.step, action]));
    let stop: Stop | undefined;
    for (const { step, title, result } of results) {
      const action = byId.get(step)!;
      counts.notRun--;
      count(result, action);
      if (result.status === "ok" || result.status === "skipped") continue;
      if (result.status === "interrupted") {
        stop = { status: "interrupted", reason: `step ${step} (${title}): ${whyOf(result)}` };
        continue;
      }
      for (const then of action.onFailure ?? []) {
        const followed = await runStep(then, context);
        count(followed, then);
        if (isBad(followed, then)) break;
      }
      if (isIgnored(result, action)) continue;
      const why = whyOf(result);
      stop ??= { status: "failed", reason: `step ${step} (${title}): ${why}`, step: { step, title, why } };
    }
    return stop;
  };

  await emit({ type: "host-start", atMs: Date.now(), host });
  const connected = async (): Promise<Stop | undefined> => {
    try {
      await line.get();
      return undefined;
    } catch (error) {
      if (signal.aborted) return interrupted;
      const info = errorInfo(error);
      await emit({ type: "host-unreachable", atMs: Date.now(), host, error: info });
      return { status: "unreachable", reason: info.message };
    }
  };
  const unreached = await (pace ? pace.take(connected) : connected());
  if (unreached) {
    context.cameOut?.(unreached.status);
    pace?.leave();
    return await end(unreached.status, unreached.reason);
  }
  const main = async (): Promise<Stop | undefined> => {
    await using fusion = new Fusion(steps, {
      on: pace === undefined && (context.fuse ?? true),
      hides,
    });
    for (let next = 0; next < planned.steps.length;) {
      if (signal.aborted) return interrupted;
      const reason = await pace?.together();
      if (signal.aborted) return interrupted;
      if (reason !== undefined) return { status: "skipped", reason };
      const rest = planned.steps.slice(next);
      const fused = await fusion.run(rest);
      const results = fused ??
        await (pace ? pace.take(() => runPlanned(rest[0]!, steps)) : runPlanned(rest[0]!, steps));
      next += fused?.length ?? 1;
      const stop = await stopOf(results, steps);
      if (stop) return stop;
    }
    return undefined;
  };
  let stop = await main();
  if (stop) context.cameOut?.(stop.status);
  pace?.leave();
  scope.set("failed", stop !== undefined);
  scope.set("failure", stop?.step ?? { step: "", title: "", why: stop?.reason ?? "" });
  // Ctrl-C ends what runs; what has to be put back is put back all the same, but not for ever.
  const last = signal.aborted ? { ...steps, signal: AbortSignal.timeout(cleanUpMs) } : steps;
  for (const step of planned.finally ?? []) {
    const failed = await stopOf(await runPlanned(step, last), last);
    if (failed === undefined) continue;
    if (stop === undefined) context.cameOut?.(failed.status);
    stop ??= failed;
    break;
  }
  return stop ? await end(stop.status, stop.reason) : await end("ok");
}

function isIgnored(result: StepResult, action: PlannedAction): boolean {
  return action.ignoreErrors === true && (result.status === "failed" || result.status === "unknown");
}

function isBad(result: StepResult, action: PlannedAction): boolean {
  return result.status !== "ok" && result.status !== "skipped" && !isIgnored(result, action);
}

async function runPlanned(step: PlannedStep, context: StepContext): Promise<readonly ActionResult[]> {
  const actions = step.kind === "parallel" ? step.steps : [step];
  return await Promise.all(actions.map(async (action) => ({
    step: action.step,
    title: action.title,
    result: await runStep(action, context),
  })));
}
