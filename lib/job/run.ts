import {
  type HostStatus,
  type RunEndEvent,
  type RunEvent,
  runEventVersion,
  type StepInfo,
} from "../base/run_event.ts";
import { EventQueue } from "./event_queue.ts";
import type { HostShare } from "./job.ts";
import type { JobConnect } from "./job_host.ts";
import { actionsOf, type Plan, type PlannedHost } from "./plan.ts";
import { type HostResult, runHost } from "./run_host.ts";

/** What a run may be given. */
export interface RunPlanOptions {
  /** How to reach a host. */
  readonly connect: JobConnect;
  /** Stops the run: remote commands are ended, no further host is begun, and the result says so. */
  readonly signal?: AbortSignal;
  /** Before the first retry of a step, doubling with each up to 10 s; default 1000. */
  readonly retryDelayMs?: number;
}

/** What came of a run. */
export interface RunResult extends Omit<RunEndEvent, "type" | "atMs" | "hosts"> {
  /** In the order of the plan. */
  readonly hosts: readonly HostResult[];
}

/**
 * A run. It begins when its events are first read or its {@linkcode result} is first asked for; a run that nobody
 * iterates drops its events. A reader that is slow slows the run; one that leaves the loop early stops it.
 */
export class JobRun implements AsyncIterable<RunEvent> {
  readonly #plan: () => Promise<Plan>;
  readonly #options: RunPlanOptions;
  readonly #queue = new EventQueue<RunEvent>();
  readonly #left = new AbortController();
  #result: Promise<RunResult> | undefined;

  constructor(plan: () => Promise<Plan>, options: RunPlanOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  /**
   * What came of it. Resolves for whatever hosts do: failures are in it, not thrown. Rejects when the job could not be
   * planned, and then nothing was contacted.
   */
  get result(): Promise<RunResult> {
    if (!this.#result) {
      this.#queue.discard();
      this.#result = this.#run();
    }
    return this.#result;
  }

  /** What happens, as it happens; once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    const result = this.#result ??= this.#run();
    // The queue hands an error to the reader; without this it would count as unhandled as well.
    result.catch(() => {});
    try {
      for (let events = await this.#queue.take(); events; events = await this.#queue.take()) yield* events;
    } finally {
      this.#left.abort();
      this.#queue.discard();
    }
    await result;
  }

  async #run(): Promise<RunResult> {
    try {
      const result = await runAll(await this.#plan(), {
        ...this.#options,
        signal: AbortSignal.any([this.#left.signal, ...(this.#options.signal ? [this.#options.signal] : [])]),
      }, (event) => this.#queue.push(event));
      this.#queue.end();
      return result;
    } catch (value) {
      this.#queue.end({ value });
      throw value;
    }
  }
}

/** Runs a plan over its hosts. */
export function runPlan(plan: Plan, options: RunPlanOptions): JobRun {
  return new JobRun(() => Promise.resolve(plan), options);
}

async function runAll(
  plan: Plan,
  options: RunPlanOptions & { readonly signal: AbortSignal },
  emit: (event: RunEvent) => Promise<void>,
): Promise<RunResult> {
  const { connect, signal, retryDelayMs = 1000 } = options;
  const startedAtMs = Date.now();
  const names = plan.hosts.map(({ host }) => host);
  await emit({
    type: "run-start",
    version: runEventVersion,
    atMs: startedAtMs,
    job: plan.job,
    hosts: names,
    steps: stepsOf(plan.hosts[0]),
  });
  const results = new Map<string, HostResult>();
  const tally: Record<HostStatus, number> = { ok: 0, failed: 0, unreachable: 0, skipped: 0, interrupted: 0 };
  const stopReason = () => {
    if (signal.aborted) return "stopped from here";
    const { maxFailures, maxUnreachable } = plan.strategy;
    if (tally.failed > limitOf(maxFailures, names.length)) {
      return `${tally.failed} hosts failed (maxFailures)`;
    }
    if (tally.unreachable > limitOf(maxUnreachable, names.length)) {
      return `${tally.unreachable} hosts were unreachable (maxUnreachable)`;
    }
    return undefined;
  };
  const work = async (host: PlannedHost) => {
    const reason = stopReason();
    const result = reason === undefined
      ? await runHost(host, { connect, signal, retryDelayMs, emit })
      : await skip(host, reason, emit);
    results.set(host.host, result);
    tally[result.status]++;
  };
  for (const batch of batchesOf(plan)) {
    const queue = batch.values();
    const lane = async () => {
      for (const host of queue) await work(host);
    };
    await Promise.all(Array.from({ length: Math.min(plan.strategy.parallel, batch.length) }, lane));
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

function stepsOf(host: PlannedHost | undefined): StepInfo[] {
  return actionsOf(host?.steps ?? []).map(({ step, kind, title }) => ({ step, kind, title }));
}

function* batchesOf({ hosts, strategy }: Plan): Generator<readonly PlannedHost[]> {
  const size = strategy.batch === undefined
    ? hosts.length
    : Math.max(1, limitOf(strategy.batch, hosts.length));
  for (let i = 0; i < hosts.length; i += size) yield hosts.slice(i, i + size);
}

/** A share as a number of hosts; a percentage is rounded down. */
function limitOf(share: HostShare | undefined, hosts: number): number {
  if (share === undefined) return Infinity;
  return typeof share === "number" ? share : Math.floor(hosts * parseFloat(share) / 100);
}

async function skip(
  { host, steps }: PlannedHost,
  reason: string,
  emit: (event: RunEvent) => Promise<void>,
): Promise<HostResult> {
  const result: HostResult = {
    host,
    status: "skipped",
    reason,
    steps: { ok: 0, failed: 0, unknown: 0, skipped: 0, notRun: actionsOf(steps).length },
    connections: 0,
    durationMs: 0,
  };
  await emit({ type: "host-end", atMs: Date.now(), ...result });
  return result;
}
