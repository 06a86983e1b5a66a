import { CarpoolError } from "../base/errors.ts";
import type { HostEndEvent, HostStatus, RunEvent } from "../base/run_event.ts";
import type { CloseInfo } from "../channel/link.ts";
import { type ActionResult, Fusion } from "./fusion/fusion.ts";
import type { JobConnect, JobHost } from "./job_host.ts";
import { actionsOf, type PlannedHost, type PlannedStep } from "./plan.ts";
import type { StepLedger } from "./resume.ts";
import { errorInfo, runStep, type StepContext, type StepResult, whyOf } from "./run_step.ts";

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
}

/** Connects to a host once, runs its steps in order, stops at the first that is not ok. Never rejects for what a host does. */
export async function runHost(planned: PlannedHost, context: HostContext): Promise<HostResult> {
  const { emit, signal } = context;
  const { host } = planned;
  const startedAtMs = Date.now();
  const counts = { ok: 0, failed: 0, unknown: 0, skipped: 0, notRun: actionsOf(planned.steps).length };
  await using line = new HostConnection(host, context);
  const end = async (status: HostStatus, reason?: string): Promise<HostResult> => {
    const result: HostResult = {
      host,
      status,
      ...(reason === undefined ? {} : { reason }),
      steps: { ...counts },
      connections: line.opened,
      durationMs: Date.now() - startedAtMs,
    };
    await emit({ type: "host-end", atMs: Date.now(), ...result });
    return result;
  };
  const count = (result: StepResult) => {
    counts.notRun--;
    if (result.status === "interrupted") counts.failed++;
    else counts[result.status]++;
  };

  await emit({ type: "host-start", atMs: Date.now(), host });
  try {
    await line.get();
  } catch (error) {
    if (signal.aborted) return await end("interrupted", "stopped from here");
    const info = errorInfo(error);
    await emit({ type: "host-unreachable", atMs: Date.now(), host, error: info });
    return await end("unreachable", info.message);
  }
  const steps: StepContext = {
    host,
    emit,
    signal,
    retryDelayMs: context.retryDelayMs,
    connection: () => line.get(),
    ledger: context.ledger,
  };
  await using fusion = new Fusion(steps, { on: context.fuse ?? true });
  for (let next = 0; next < planned.steps.length;) {
    if (signal.aborted) return await end("interrupted", "stopped from here");
    const fused = await fusion.run(planned.steps.slice(next));
    const results = fused ?? await runPlanned(planned.steps[next]!, steps);
    next += fused?.length ?? 1;
    results.forEach(({ result }) => count(result));
    const bad = results.find(({ result }) => result.status !== "ok" && result.status !== "skipped");
    if (!bad || bad.result.status === "skipped") continue;
    const status = results.some(({ result }) => result.status === "interrupted") ? "interrupted" : "failed";
    return await end(status, `step ${bad.step} (${bad.title}): ${whyOf(bad.result)}`);
  }
  return await end("ok");
}

async function runPlanned(step: PlannedStep, context: StepContext): Promise<readonly ActionResult[]> {
  const actions = step.kind === "parallel" ? step.steps : [step];
  return await Promise.all(actions.map(async (action) => ({
    step: action.step,
    title: action.title,
    result: await runStep(action, context),
  })));
}

/** The one connection of a host in a run; made again, once, when it was lost between commands. */
class HostConnection implements AsyncDisposable {
  readonly #host: string;
  readonly #context: HostContext;
  #current: Promise<JobHost> | undefined;
  #lost: CloseInfo | undefined;
  /** Connections opened for this run: riding a live master opens none. */
  opened = 0;
  #made = 0;

  constructor(host: string, context: HostContext) {
    this.#host = host;
    this.#context = context;
  }

  get(): Promise<JobHost> {
    if (this.#current && !this.#lost) return this.#current;
    if (this.#made >= 2) {
      return Promise.reject(
        new CarpoolError("connection-lost", {
          what: "The connection was lost, twice",
          where: this.#host,
          why: this.#lost?.why,
          outcome: "not-started",
        }),
      );
    }
    this.#lost = undefined;
    this.#made++;
    return this.#current = this.#connect();
  }

  async #connect(): Promise<JobHost> {
    const { connect, signal, emit } = this.#context;
    const startedAtMs = Date.now();
    try {
      const host = await connect(this.#host, { signal });
      const connection = host.connection ?? "new";
      if (connection === "new") this.opened++;
      host.closed.then((info) => this.#lost = info);
      const durationMs = Date.now() - startedAtMs;
      await emit({
        type: "host-ready",
        atMs: Date.now(),
        host: this.#host,
        where: host.where,
        connection,
        durationMs,
      });
      return host;
    } catch (error) {
      this.#lost = { how: "lost", why: errorInfo(error).message };
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    let host: JobHost | undefined;
    try {
      host = await this.#current;
    } catch {
      // It was never there, and whoever asked for it was told.
    }
    await host?.[Symbol.asyncDispose]();
  }
}
