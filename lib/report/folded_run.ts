import type {
  HostEndEvent,
  RunEvent,
  StepEndEvent,
  StepOutputEvent,
  StepRetryEvent,
} from "../base/run_event.ts";
import { HostFold, type HostGroup } from "./host_fold.ts";
import { OutputFold, type OutputGroup, type OutputLine } from "./output_fold.ts";
import { StepsLeft } from "./steps_left.ts";
import { Told } from "./told.ts";

/** What is told of a run where hosts are told together; each call is one thing to show. */
export interface FoldTeller {
  /** Hosts that wrote the same in one step, once it is over on all of them. */
  group(group: OutputGroup): void;
  /** A line that was not held back, because too much would have been, or because `streams` says so. */
  line(host: string, line: OutputLine): void;
  /** A step came to no good end, or another attempt of it follows; with what it wrote and was not shown yet. */
  bad(event: StepEndEvent | StepRetryEvent, lines: readonly OutputLine[]): void;
  /** Whether this output is shown as it comes; default: none is. */
  streams?(event: StepOutputEvent): boolean;
}

/** Walks along a run, and tells what hosts wrote step by step, hosts that wrote the same together. */
export class FoldedRun {
  readonly #teller: FoldTeller;
  readonly #output: OutputFold;
  readonly #left = new StepsLeft();
  readonly #ends = new HostFold();
  readonly #told = new Told();
  #oneStep = false;

  constructor(teller: FoldTeller) {
    this.#teller = teller;
    this.#output = new OutputFold((host, line) => teller.line(host, line));
  }

  event(event: RunEvent): void {
    this.#told.event(event);
    switch (event.type) {
      case "run-start":
        this.#left.start(event.hosts.length, event.steps);
        this.#oneStep = event.steps.length === 1;
        break;
      case "step-output":
        this.#output.push(event, this.#teller.streams?.(event));
        break;
      case "step-retry":
        this.#teller.bad(event, this.#output.end(event.host, event.step));
        break;
      case "step-skip":
        this.#over(this.#left.done(event.host, event.step));
        break;
      case "step-end":
        this.#stepEnd(event);
        break;
      case "host-end":
        this.#ends.add(event, this.#toldOf(event));
        for (const step of this.#left.hostEnd(event.host)) this.#over(step);
        break;
    }
  }

  /** Tells what is held back of a step, or of all. */
  tellGroups(step?: string): void {
    for (const group of this.#output.take(step)) this.#teller.group(group);
  }

  /** The hosts that are over, those that came out the same way together. */
  hosts(): HostGroup[] {
    return this.#ends.groups();
  }

  /** The last line of a step that is still running; undefined before its first. */
  lastLine(host: string, step: string): string | undefined {
    return this.#output.lastLine(host, step);
  }

  #stepEnd(event: StepEndEvent): void {
    const { host, step } = event;
    const lines = this.#output.end(host, step);
    if (event.status !== "ok") this.#teller.bad(event, lines);
    else if (this.#output.keep(host, step, lines)) this.tellGroups();
    // What follows a failure was not announced, and is not waited for on other hosts.
    if (!this.#left.knows(step)) this.tellGroups(step);
    this.#over(this.#left.done(host, step));
  }

  /** The step is not named where there is only one. */
  #toldOf(end: HostEndEvent): string | undefined {
    const step = this.#told.stepOf(end);
    return step !== undefined && this.#oneStep ? "" : step;
  }

  #over(step: string | undefined): void {
    if (step !== undefined) this.tellGroups(step);
  }
}
