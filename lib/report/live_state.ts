import type { HostStatus, RunEvent, StepInfo } from "../base/run_event.ts";

/** A step that runs on a host now. */
export interface RunningStep {
  readonly host: string;
  readonly step: string;
  readonly title: string;
  readonly sinceMs: number;
  /** How far a copy has come; undefined for everything else. */
  progress?: { readonly path: string; readonly bytes: number; readonly totalBytes: number };
  /** Attempts that failed so far. */
  retries: number;
}

/** One step over all hosts. */
export interface StepTally {
  readonly info: StepInfo;
  running: number;
  /** Over, well or not, or not needed. */
  done: number;
}

/**
 * What the live view knows of a run. Each event costs the same however many hosts there are, and what is shown can be
 * had without going over all of them.
 */
export class LiveState {
  job = "";
  hosts = 0;
  startedAtMs = 0;
  /** Of the last event: hosts' clocks play no part. */
  nowMs = 0;
  readonly ended: Record<HostStatus, number> = {
    ok: 0,
    failed: 0,
    unreachable: 0,
    skipped: 0,
    interrupted: 0,
  };
  connecting = 0;
  active = 0;
  copiedBytes = 0;
  toCopyBytes = 0;
  copies = 0;
  readonly steps = new Map<string, StepTally>();
  /** Steps that run somewhere, in the order they began to. */
  readonly runningSteps = new Set<StepTally>();
  /** What runs, the longest running first: a Map keeps the order in which its keys came. */
  readonly running = new Map<string, RunningStep>();
  readonly #connecting = new Set<string>();
  readonly #begun = new Set<string>();

  /** Hosts that are over. */
  get over(): number {
    const { ok, failed, unreachable, skipped, interrupted } = this.ended;
    return ok + failed + unreachable + skipped + interrupted;
  }

  /** Hosts that were not begun yet. */
  get waiting(): number {
    return Math.max(0, this.hosts - this.over - this.active);
  }

  /** For how long a step has been running on a host; 0 where it is not. */
  runningForMs(host: string, step: string, nowMs: number): number {
    const running = this.running.get(key({ host, step }));
    return running === undefined ? 0 : nowMs - running.sinceMs;
  }

  apply(event: RunEvent): void {
    this.nowMs = Math.max(this.nowMs, event.atMs);
    switch (event.type) {
      case "run-start":
        this.job = event.job;
        this.hosts = event.hosts.length;
        this.startedAtMs = event.atMs;
        for (const info of event.steps) this.steps.set(info.step, { info, running: 0, done: 0 });
        break;
      case "host-start":
        this.#begun.add(event.host);
        this.#connecting.add(event.host);
        this.active = this.#begun.size;
        break;
      case "host-ready":
      case "host-unreachable":
        this.#connecting.delete(event.host);
        break;
      case "step-start":
        this.#start(event.host, event.step, event.title, event.atMs);
        this.#tally(event).running++;
        this.runningSteps.add(this.#tally(event));
        break;
      case "step-skip":
        this.#tally(event).done++;
        break;
      case "step-progress":
        this.#progress(event);
        break;
      case "step-retry": {
        const running = this.running.get(key(event));
        if (running) running.retries = event.attempt;
        break;
      }
      case "step-end": {
        this.#end(key(event));
        const tally = this.#tally({ ...event, kind: "exec", title: "" });
        tally.done++;
        if (--tally.running <= 0) this.runningSteps.delete(tally);
        break;
      }
      case "host-end":
        this.ended[event.status]++;
        this.#begun.delete(event.host);
        this.#connecting.delete(event.host);
        this.active = this.#begun.size;
        break;
    }
    this.connecting = this.#connecting.size;
  }

  #start(host: string, step: string, title: string, sinceMs: number): void {
    this.running.set(key({ host, step }), { host, step, title, sinceMs, retries: 0 });
  }

  #progress(event: RunEvent & { type: "step-progress" }): void {
    const running = this.running.get(key(event));
    if (!running) return;
    if (!running.progress) this.copies++;
    this.copiedBytes += event.bytes - (running.progress?.bytes ?? 0);
    this.toCopyBytes += event.totalBytes - (running.progress?.totalBytes ?? 0);
    const { path, bytes, totalBytes } = event;
    running.progress = { path, bytes, totalBytes };
  }

  #end(id: string): void {
    const progress = this.running.get(id)?.progress;
    if (progress) {
      this.copies--;
      this.copiedBytes -= progress.bytes;
      this.toCopyBytes -= progress.totalBytes;
    }
    this.running.delete(id);
  }

  /** A step that the run did not announce is counted all the same. */
  #tally({ step, kind, title }: StepInfo): StepTally {
    const known = this.steps.get(step);
    if (known) return known;
    const tally: StepTally = { info: { step, kind, title }, running: 0, done: 0 };
    this.steps.set(step, tally);
    return tally;
  }
}

function key({ host, step }: { readonly host: string; readonly step: string }): string {
  return `${step}\0${host}`;
}
