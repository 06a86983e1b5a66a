import { explainMissingPackage } from "../base/load_package.ts";
import type { RunEvent } from "../base/run_event.ts";
import { EventQueue } from "./event_queue.ts";
import type { Plan } from "./plan.ts";
import type { RunPlanOptions, RunResult } from "./run_all.ts";

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

  /** @ignore Use {@linkcode runJob}. */
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
      const made = await this.#plan();
      const { plan, ledger } = await this.#options.prepare?.(made) ?? { plan: made };
      // Everything below is loaded when something runs, so that importing the module stays cheap.
      const { runAll } = await explainMissingPackage(() => import("./run_all.ts"));
      using traces = await tracesOfRun();
      const result = await runAll(plan, {
        ...this.#options,
        ledger: ledger ?? this.#options.ledger,
        signal: AbortSignal.any([this.#left.signal, ...(this.#options.signal ? [this.#options.signal] : [])]),
      }, (event) => {
        traces?.event(event);
        return this.#queue.push(event);
      });
      this.#queue.end();
      return result;
    } catch (value) {
      this.#queue.end({ value });
      throw value;
    }
  }
}

/** The spans of a run, where Deno exports traces from this program; without the permission to look it does not. */
async function tracesOfRun(): Promise<Disposable & { event(event: RunEvent): void } | undefined> {
  try {
    if (!/^(1|true)$/i.test(Deno.env.get("OTEL_DENO") ?? "")) return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
  return await (await import("./traces.ts")).runTraces();
}

/** Runs a plan over its hosts. */
export function runPlan(plan: Plan, options: RunPlanOptions): JobRun {
  return new JobRun(() => Promise.resolve(plan), options);
}
