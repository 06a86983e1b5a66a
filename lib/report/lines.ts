import { formatDuration } from "../base/format_duration.ts";
import type { HostEndEvent, RunEndEvent, RunEvent, StepEndEvent } from "../base/run_event.ts";
import { bold, cyan, dim, red } from "../deps/std_colors.ts";
import { LineBuffer } from "./line_buffer.ts";
import { plainText } from "./plain_text.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { connected, plural, runTotals, statusPaint, stepCounts, stepPaint, stepText } from "./run_words.ts";
import { Told } from "./told.ts";

/** How lines are shown. */
export interface LinesOptions {
  /** Default false. */
  readonly color?: boolean;
  /**
   * `run` tells every step and puts everything on standard output. `exec` is for one command over many hosts: output
   * goes to where it came from, everything else to standard error, and what went well is not told. Default `run`.
   */
  readonly style?: "run" | "exec";
  /** Also how each host was connected to; default false. */
  readonly verbose?: boolean;
}

type Paint = (text: string) => string;

/** Plain lines, each with its host in front, and a summary at the end: for logs, pipes and terminals alike. */
export function lines(sink: Sink, options: LinesOptions = {}): Reporter {
  return new LinesReporter(sink, options);
}

class LinesReporter implements Reporter {
  readonly #sink: Sink;
  readonly #exec: boolean;
  readonly #verbose: boolean;
  readonly #color: boolean;
  #width = 0;
  #steps = 0;
  readonly #buffers = new Map<string, LineBuffer>();
  readonly #titles = new Map<string, string>();
  readonly #ends: HostEndEvent[] = [];
  readonly #told = new Told();

  constructor(sink: Sink, { color = false, style = "run", verbose = false }: LinesOptions) {
    this.#sink = sink;
    this.#exec = style === "exec";
    this.#verbose = verbose;
    this.#color = color;
  }

  event(event: RunEvent): void {
    this.#told.event(event);
    switch (event.type) {
      case "run-start": {
        this.#width = Math.min(32, Math.max(0, ...event.hosts.map((host) => host.length)));
        this.#steps = event.steps.length;
        for (const { step, title } of event.steps) this.#titles.set(step, title);
        if (this.#exec) break;
        const count = `${plural(event.hosts.length, "host")}, ${plural(event.steps.length, "step")}`;
        this.#write(`${this.#paint(bold, plainText(event.job))}: ${count}`);
        break;
      }
      case "host-ready":
        if (!this.#verbose) break;
        this.#tell(event.host, `${connected[event.connection]} ${event.where}`, dim);
        break;
      case "host-unreachable":
        this.#tell(event.host, `UNREACHABLE ${event.error.message}`, red);
        break;
      case "step-start":
        if (!this.#exec) this.#tell(event.host, `> ${this.#label(event.step, event.title)}`, cyan);
        break;
      case "step-skip":
        if (!this.#exec) {
          this.#tell(event.host, `- ${this.#label(event.step, event.title)}: skipped, ${event.reason}`, dim);
        }
        break;
      case "step-output":
        for (const line of this.#buffer(event).push(event.text)) this.#output(event.host, line, event.stream);
        break;
      case "step-retry":
        this.#flush(event.host, event.step);
        this.#tell(event.host, stepText(event, `step ${event.step}`), stepPaint(event));
        break;
      case "step-end":
        this.#flush(event.host, event.step);
        this.#stepEnd(event);
        break;
      case "host-end":
        this.#ends.push(event);
        break;
      case "run-end":
        this.#summary(event);
        break;
    }
  }

  #stepEnd(event: StepEndEvent): void {
    const label = this.#label(event.step, this.#titles.get(event.step) ?? "");
    if (event.status !== "ok") {
      this.#tell(event.host, stepText(event, this.#exec ? "" : label), stepPaint(event));
    } else if (this.#verbose) {
      const tries = event.attempts > 1 ? ` (${event.attempts} attempts)` : "";
      this.#tell(event.host, `ok ${label}, ${formatDuration(event.durationMs)}${tries}`, dim);
    }
  }

  #summary(event: RunEndEvent): void {
    // What every host did is only worth a line where it is not all the same.
    const bad = this.#ends.filter((end) => end.status !== "ok");
    if (!this.#exec || bad.length > 0) this.#write("");
    if (!this.#exec) {
      for (const end of this.#ends) this.#tell(end.host, this.#hostSummary(end), statusPaint[end.status]);
    }
    if (this.#exec && bad.length === 0 && !this.#verbose) return;
    this.#write(runTotals(event, (paint, text) => this.#paint(paint, text)));
  }

  #hostSummary(end: HostEndEvent): string {
    const { status, steps, reason, durationMs } = end;
    const step = this.#told.stepOf(end);
    const why = step === undefined ? reason : undefined;
    if (status === "unreachable" || status === "skipped") return [status, why].filter(Boolean).join(": ");
    const at = step && this.#steps > 1 ? ` at step ${step}` : "";
    return `${status}${at}: ${stepCounts(steps)}, ${formatDuration(durationMs)}${why ? `; ${why}` : ""}`;
  }

  #label(step: string, title: string): string {
    return this.#steps > 1 ? `${step} ${title}` : title;
  }

  #buffer({ host, step, stream }: { host: string; step: string; stream: string }): LineBuffer {
    const key = keyOf(host, step, stream);
    let known = this.#buffers.get(key);
    if (known === undefined) this.#buffers.set(key, known = new LineBuffer());
    return known;
  }

  #flush(host: string, step: string): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const key = keyOf(host, step, stream);
      const buffer = this.#buffers.get(key);
      if (buffer === undefined) continue;
      this.#buffers.delete(key);
      for (const line of buffer.end()) this.#output(host, line, stream);
    }
  }

  #output(host: string, line: string, stream: "stdout" | "stderr"): void {
    const mark = this.#exec ? ":" : stream === "stdout" ? " |" : " !";
    this.#sink(`${this.#host(host)}${mark} ${line}\n`, this.#exec ? stream : "stdout");
  }

  /** Something about a host, in our words; they may hold a remote name or message. */
  #tell(host: string, text: string, paint: Paint): void {
    const space = this.#exec ? ":" : "";
    const [first = "", ...more] = plainText(text).split("\n");
    for (const line of [first, ...more.map((one) => `  ${one}`)]) {
      this.#write(`${this.#host(host)}${space} ${this.#paint(paint, line)}`);
    }
  }

  #write(line: string): void {
    this.#sink(`${line}\n`, this.#exec ? "stderr" : "stdout");
  }

  #host(host: string): string {
    const name = plainText(host);
    return this.#paint(bold, this.#exec ? name : name.padEnd(this.#width));
  }

  #paint(paint: Paint, text: string): string {
    return this.#color ? paint(text) : text;
  }
}

/** No name of a host or a step has a NUL in it. */
function keyOf(host: string, step: string, stream: string): string {
  return `${host}\0${step}\0${stream}`;
}
