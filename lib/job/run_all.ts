import { type HostStatus, type RunEndEvent, type RunEvent, runEventVersion } from "../base/run_event.ts";
import { batchesOf, limitOf, stepsOf } from "./batches.ts";
import type { JobConnect } from "./job_host.ts";
import { actionsOf, type Plan, type PlannedHost } from "./plan.ts";
import type { StepLedger } from "./resume.ts";
import { noPrompter, type Prompter } from "../target/prompter.ts";
import { Pace } from "./pace.ts";
import { asksSomething, Questions, refuseUnanswerable } from "./questions.ts";
import { Redactor } from "./redactor.ts";
import { type HostResult, runHost } from "./run_host.ts";

/** What a run may be given. */
export interface RunPlanOptions {
  /** How to reach a host. */
  readonly connect: JobConnect;
  /** Stops the run: remote commands are ended, no further host is begun, and the result says so. */
  readonly signal?: AbortSignal;
  /** Before the first retry of a step, doubling with each up to 10 s; default 1000. */
  readonly retryDelayMs?: number;
  /** Whether consecutive steps of a host travel together where they may; default true. */
  readonly fuse?: boolean;
  /** Who is asked for what prompt and confirm steps want, and for passwords of other accounts; default: nobody. */
  readonly prompter?: () => Promise<Prompter>;
  /** Confirm steps are answered with yes, prompt steps with their default; default false. */
  readonly yes?: boolean;
  /** The journal of the run, and what an earlier sitting of it did already. */
  readonly ledger?: StepLedger;
  /** Looks at the plan before anything is contacted: opens the journal, leaves out what is done. */
  readonly prepare?: PreparePlan;
}

/** What becomes of a plan before it is run. */
export type PreparePlan = (plan: Plan) => Promise<{ readonly plan: Plan; readonly ledger?: StepLedger }>;

/** What came of a run. */
export interface RunResult extends Omit<RunEndEvent, "type" | "atMs" | "hosts"> {
  /** In the order of the plan. */
  readonly hosts: readonly HostResult[];
}

/** Goes over the hosts of a plan, telling everything to `emit`, which makes it wait when the reader is far behind. */
export async function runAll(
  plan: Plan,
  options: RunPlanOptions & { readonly signal: AbortSignal },
  tell: (event: RunEvent) => Promise<void>,
): Promise<RunResult> {
  const { connect, signal, retryDelayMs = 1000, ledger, fuse, yes = false } = options;
  const prompter = asksSomething(plan) ? await options.prompter?.() ?? noPrompter : noPrompter;
  refuseUnanswerable(plan, prompter, yes);
  const redactor = new Redactor(plan.secrets);
  const questions = new Questions(prompter, { yes, redactor });
  // The journal first: a step is begun when its `step-start` has been told, and by then its start must be on disk.
  const emit = async (event: RunEvent) => {
    // Output is looked through where it comes from, piece by piece.
    const clean = event.type === "step-output" ? event : redactor.event(event);
    if (ledger !== undefined) await ledger.note(clean);
    await tell(clean);
  };
  const startedAtMs = Date.now();
  const names = plan.hosts.map(({ host }) => host);
  await emit({
    type: "run-start",
    version: runEventVersion,
    atMs: startedAtMs,
    job: plan.job,
    hosts: names,
    steps: stepsOf(plan),
  });
  const results = new Map<string, HostResult>();
  const tally: Record<HostStatus, number> = { ok: 0, failed: 0, unreachable: 0, skipped: 0, interrupted: 0 };
  const known = { failed: 0, unreachable: 0 };
  const stopReason = () => {
    if (signal.aborted) return "stopped from here";
    const { maxFailures, maxUnreachable } = plan.strategy;
    if (known.failed > limitOf(maxFailures, names.length)) {
      return `${known.failed} ${known.failed === 1 ? "host" : "hosts"} failed (maxFailures)`;
    }
    if (known.unreachable > limitOf(maxUnreachable, names.length)) {
      return `${known.unreachable} ${
        known.unreachable === 1 ? "host was" : "hosts were"
      } unreachable (maxUnreachable)`;
    }
    return undefined;
  };
  // Counted as soon as it is known: a host that failed may still have its `finally` before it.
  const cameOut = (status: HostStatus) => {
    if (status === "failed" || status === "unreachable") known[status]++;
  };
  const shared = { connect, signal, retryDelayMs, emit, ledger, fuse, redactor, questions, cameOut };
  const work = async (host: PlannedHost, pace?: Pace) => {
    const reason = stopReason();
    if (reason !== undefined) pace?.leave();
    const result = reason === undefined
      ? await runHost(host, { ...shared, ...(pace ? { pace } : {}) })
      : await skip(host, reason, emit);
    results.set(host.host, result);
    tally[result.status]++;
  };
  for (const batch of batchesOf(plan)) {
    const { order, parallel } = plan.strategy;
    if (order === "linear") {
      const pace = new Pace(batch.length, parallel, stopReason);
      await Promise.all(batch.map((host) => work(host, pace)));
      continue;
    }
    const queue = batch.values();
    const lane = async () => {
      for (const host of queue) await work(host);
    };
    await Promise.all(Array.from({ length: Math.min(parallel, batch.length) }, lane));
  }
  const hosts = plan.hosts.flatMap(({ host }) => results.get(host) ?? []);
  const connections = hosts.reduce((sum, host) => sum + host.connections, 0);
  const status = signal.aborted
    ? "interrupted"
    : tally.failed > 0
    ? "failed"
    : tally.unreachable > 0
    ? "unreachable"
    : "ok";
  const end = { job: plan.job, status, connections, durationMs: Date.now() - startedAtMs } as const;
  await emit({ type: "run-end", atMs: Date.now(), ...end, hosts: tally });
  return { ...end, hosts };
}

async function skip(
  { host, steps, finally: last }: PlannedHost,
  reason: string,
  emit: (event: RunEvent) => Promise<void>,
): Promise<HostResult> {
  const result: HostResult = {
    host,
    status: "skipped",
    reason,
    steps: { ok: 0, failed: 0, unknown: 0, skipped: 0, notRun: actionsOf([...steps, ...last ?? []]).length },
    connections: 0,
    durationMs: 0,
  };
  await emit({ type: "host-end", atMs: Date.now(), ...result });
  return result;
}
