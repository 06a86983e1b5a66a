import type {
  ConnectionKind,
  ErrorInfo,
  HostStatus,
  RunEndEvent,
  RunEvent,
  StepCounts,
  StepInfo,
  StepStatus,
} from "../base/run_event.ts";
import { type KeptOutput, OutputKeeper } from "./output_keeper.ts";
import { whyNotOk } from "./run_words.ts";

/** How a host came by a connection. */
export interface ConnectRecord {
  readonly kind: ConnectionKind;
  readonly startedAtMs: number;
  readonly durationMs: number;
}

/** What is known of one step on one host. */
export interface StepRecord extends StepInfo {
  readonly startedAtMs: number;
  /** `running`: its end was never told. */
  status: StepStatus | "skipped" | "running";
  endedAtMs: number;
  attempts: number;
  /** Why it is not ok, or was skipped. */
  why?: string;
  /** It failed, and the job says to go on. */
  ignored: boolean;
  /** Undefined where it wrote nothing. */
  output?: KeptOutput;
}

/** What is known of one host. */
export interface HostRecord {
  readonly host: string;
  where?: string;
  startedAtMs?: number;
  endedAtMs?: number;
  /** `running`: its end was never told. */
  status: HostStatus | "running";
  reason?: string;
  /** Why it could not be reached. */
  unreachable?: ErrorInfo;
  counts?: StepCounts;
  /** The shortest round trip that was seen. */
  rttMs?: number;
  readonly connects: ConnectRecord[];
  readonly steps: StepRecord[];
}

/** Everything that is told of a run, with its outputs bounded, for reports that are written at the end. */
export class RunRecord {
  /** False until `run-start`. */
  begun = false;
  job = "";
  startedAtMs = 0;
  /** Of the last event. */
  endedAtMs = 0;
  steps: readonly StepInfo[] = [];
  /** In the order of the plan. */
  readonly hosts = new Map<string, HostRecord>();
  /** Undefined for a run that broke off. */
  end: RunEndEvent | undefined;
  readonly #outputs = new OutputKeeper();
  readonly #running = new Map<string, StepRecord>();

  apply(event: RunEvent): void {
    this.endedAtMs = Math.max(this.endedAtMs, event.atMs);
    switch (event.type) {
      case "run-start":
        this.begun = true;
        this.job = event.job;
        this.steps = event.steps;
        this.startedAtMs = event.atMs;
        for (const host of event.hosts) this.#host(host);
        break;
      case "host-start":
        this.#host(event.host).startedAtMs = event.atMs;
        break;
      case "host-ready": {
        const host = this.#host(event.host);
        host.where = event.where;
        const { connection: kind, durationMs } = event;
        host.connects.push({ kind, durationMs, startedAtMs: event.atMs - durationMs });
        break;
      }
      case "host-unreachable":
        this.#host(event.host).unreachable = event.error;
        break;
      case "step-start":
        this.#begin(event.host, event, event.atMs);
        break;
      case "step-output":
        this.#outputs.push(key(event), event.stream, event.text);
        break;
      case "step-skip": {
        const step = this.#begin(event.host, event, event.atMs);
        this.#running.delete(key(event));
        Object.assign(step, { status: "skipped", why: event.reason, attempts: 0 });
        break;
      }
      case "step-retry":
        this.#outputs.mark(key(event), `attempt ${event.attempt}: ${event.why}; trying again`);
        break;
      case "step-end": {
        const step = this.#running.get(key(event)) ??
          this.#begin(event.host, { ...event, kind: "exec", title: "" }, event.atMs - event.durationMs);
        this.#running.delete(key(event));
        const { status, attempts, ignored = false } = event;
        Object.assign(step, { status, attempts, ignored, endedAtMs: event.atMs });
        if (status !== "ok") step.why = whyNotOk(event);
        step.output = this.#outputs.end(key(event), status === "ok");
        break;
      }
      case "host-end": {
        const host = this.#host(event.host);
        const { status, reason, steps: counts, rttMs } = event;
        Object.assign(host, { status, reason, counts, rttMs, endedAtMs: event.atMs });
        break;
      }
      case "run-end":
        this.end = event;
        break;
    }
  }

  /** The run broke off: what still runs gets the output that there is. */
  finish(): void {
    for (const [id, step] of this.#running) {
      step.endedAtMs = this.endedAtMs;
      step.output = this.#outputs.end(id, false);
    }
    this.#running.clear();
  }

  #begin(host: string, { step, kind, title }: StepInfo, atMs: number): StepRecord {
    const record: StepRecord = {
      step,
      kind,
      title: title || (this.steps.find((info) => info.step === step)?.title ?? ""),
      startedAtMs: atMs,
      endedAtMs: atMs,
      status: "running",
      attempts: 1,
      ignored: false,
    };
    this.#host(host).steps.push(record);
    this.#running.set(key({ host, step }), record);
    return record;
  }

  #host(host: string): HostRecord {
    const known = this.hosts.get(host);
    if (known) return known;
    const record: HostRecord = { host, status: "running", connects: [], steps: [] };
    this.hosts.set(host, record);
    return record;
  }
}

function key({ host, step }: { readonly host: string; readonly step: string }): string {
  return `${step}\0${host}`;
}
