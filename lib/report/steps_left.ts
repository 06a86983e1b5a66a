import type { StepInfo } from "../base/run_event.ts";

/** Knows when a step is over on every host of the run, at the same cost for each event however many hosts there are. */
export class StepsLeft {
  readonly #hosts = new Map<string, number>();
  readonly #doneOn = new Map<string, Set<string>>();

  start(hosts: number, steps: readonly StepInfo[]): void {
    for (const { step } of steps) this.#hosts.set(step, hosts);
  }

  /** Whether the run announced this step, so that its end on all hosts can be known. */
  knows(step: string): boolean {
    return this.#hosts.has(step);
  }

  /** The step is over on this host; the step, when this was the last one. */
  done(host: string, step: string): string | undefined {
    const done = this.#doneOn.get(host) ?? new Set();
    this.#doneOn.set(host, done);
    // A step that nobody announced, or that is over twice, counts for nothing.
    if (done.has(step)) return undefined;
    done.add(step);
    return this.#count(step);
  }

  /** The host is over: so is every step it did not come to. Those for which it was the last one. */
  hostEnd(host: string): string[] {
    const done = this.#doneOn.get(host);
    this.#doneOn.delete(host);
    return [...this.#hosts.keys()].filter((step) => !done?.has(step) && this.#count(step) !== undefined);
  }

  #count(step: string): string | undefined {
    const left = this.#hosts.get(step);
    if (left === undefined) return undefined;
    this.#hosts.set(step, left - 1);
    return left === 1 ? step : undefined;
  }
}
