import type { RunEvent } from "../base/run_event.ts";
import type { RunResult } from "./run.ts";

/** A run, as {@linkcode runJob} gives it: iterate it for its events, once, or ask for its result. */
export interface Run extends AsyncIterable<RunEvent> {
  /** What came of it; failures of hosts are in it, not thrown. Rejects when the job could not be planned. */
  readonly result: Promise<RunResult>;
}

/** A run whose code is loaded when it is first read. */
export class DeferredRun implements Run {
  readonly #load: () => Promise<Run>;
  #run: Promise<Run> | undefined;

  constructor(load: () => Promise<Run>) {
    this.#load = load;
  }

  #loaded(): Promise<Run> {
    return this.#run ??= this.#load();
  }

  get result(): Promise<RunResult> {
    return this.#loaded().then((run) => run.result);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    yield* await this.#loaded();
  }
}
