import { formatDuration } from "../base/format_duration.ts";
import type { HostEndEvent, RunEndEvent, RunEvent, StepEndEvent } from "../base/run_event.ts";
import { bold, cyan, dim, red, yellow } from "../deps/std_colors.ts";
import { LineBuffer } from "./line_buffer.ts";
import { plainText } from "./plain_text.ts";
import type { Reporter, Sink } from "./reporter.ts";
import {
  connected,
  hostStatuses,
  plural,
  statusPaint,
  stepCounts,
  stepWords,
  whyNotOk,
} from "./run_words.ts";

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

  constructor(sink: Sink, { color = false, style = "run", verbose = false }: LinesOptions) {
    this.#sink = sink;
    this.#exec = style === "exec";
    this.#verbose = verbose;
    this.#color = color;
  }

  event(event: RunEvent): void {
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
        this.#tell(
          event.host,
          `attempt ${event.attempt} of step ${event.step}: ${event.why}; trying again`,
          yellow,
        );
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
    const tries = event.attempts > 1 ? ` (${event.attempts} attempts)` : "";
    if (event.status === "ok") {
      if (this.#verbose) {
        this.#tell(event.host, `ok ${label}, ${formatDuration(event.durationMs)}${tries}`, dim);
      }
      return;
    }
    const word = stepWords[event.status] ?? event.status;
    const what = this.#exec ? "" : ` ${label}:`;
    this.#tell(
      event.host,
      `${word}${what} ${whyNotOk(event)}${tries}${event.ignored ? ", ignored" : ""}`,
      event.status === "failed" && !event.ignored ? red : yellow,
    );
  }

  #summary(event: RunEndEvent): void {
    // What every host did is only worth a line where it is not all the same.
    const bad = this.#ends.filter((end) => end.status !== "ok");
    if (!this.#exec || bad.length > 0) this.#write("");
    if (!this.#exec) {
      for (const end of this.#ends) this.#tell(end.host, hostSummary(end), statusPaint[end.status]);
    }
    if (this.#exec && bad.length === 0 && !this.#verbose) return;
    const total = hostStatuses.reduce((sum, status) => sum + event.hosts[status], 0);
    const parts = hostStatuses.filter((status) => event.hosts[status] > 0 || status === "ok")
      .map((status) => this.#paint(statusPaint[status], `${event.hosts[status]} ${status}`));
    const opened = `${plural(event.connections, "connection")} opened, ${formatDuration(event.durationMs)}`;
    this.#write(`${plural(total, "host")}: ${parts.join(", ")}; ${opened}`);
  }

  #label(step: string, title: string): string {
    return this.#steps > 1 ? `${step} ${title}` : title;
  }

  #buffer({ host, step, stream }: { host: string; step: string; stream: string }): LineBuffer {
    const key = JSON.stringify([host, step, stream]);
    const known = this.#buffers.get(key) ?? new LineBuffer();
    this.#buffers.set(key, known);
    return known;
  }

  #flush(host: string, step: string): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const key = JSON.stringify([host, step, stream]);
      for (const line of this.#buffers.get(key)?.end() ?? []) this.#output(host, line, stream);
      this.#buffers.delete(key);
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

function hostSummary({ status, steps, reason, durationMs }: HostEndEvent): string {
  if (status === "unreachable" || status === "skipped") {
    return [status, reason].filter((part) => part).join(": ");
  }
  return `${status}: ${stepCounts(steps)}, ${formatDuration(durationMs)}${reason ? `; ${reason}` : ""}`;
}
