import type { PlannedStep } from "../plan.ts";
import type { StepContext, StepResult } from "../run_step.ts";

/** What came of one planned action. */
export interface ActionResult {
  readonly step: string;
  readonly title: string;
  readonly result: StepResult;
}

/** Sends consecutive steps of one host together, in one session. One for each host of a run. */
export class Fusion {
  readonly #context: StepContext;
  #on: boolean;

  constructor(context: StepContext, on: boolean) {
    this.#context = context;
    this.#on = on;
  }

  /**
   * Runs the first of these steps that may travel together, and tells everything as `runStep` would. Gives a result for
   * each that is done, which may be fewer than were sent: what is left is asked for again. Undefined where the first
   * step is to be run alone.
   */
  run(_steps: readonly PlannedStep[]): Promise<readonly ActionResult[] | undefined> {
    if (!this.#on || this.#context.signal.aborted) return Promise.resolve(undefined);
    return Promise.resolve(undefined);
  }
}
