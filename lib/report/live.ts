import { formatDuration } from "../base/format_duration.ts";
import type { RunEndEvent, RunEvent, StepEndEvent, StepOutputEvent } from "../base/run_event.ts";
import { bold, dim, red, yellow } from "../deps/std_colors.ts";
import { foldHosts } from "./fold_hosts.ts";
import { HostFold } from "./host_fold.ts";
import { liveFrame } from "./live_frame.ts";
import { LiveState } from "./live_state.ts";
import { OutputFold, type OutputLine } from "./output_fold.ts";
import { oneLine, plainText } from "./plain_text.ts";
import type { Reporter } from "./reporter.ts";
import { connected, hostStatuses, plural, statusPaint, stepWords, whyNotOk } from "./run_words.ts";
import { type Clock, Screen, type Terminal } from "./screen.ts";
import { fitSpans, fitText, widthOf } from "./spans.ts";
import { StepsLeft } from "./steps_left.ts";
import { withoutHost } from "./without_host.ts";

/** How the live view is shown. */
export interface LiveOptions {
  /** Default false. */
  readonly color?: boolean;
  /** `exec` is one command over many hosts: no step is named. Default `run`. */
  readonly style?: "run" | "exec";
  /** Also how each host was connected to, and what was skipped; default false. */
  readonly verbose?: boolean;
}

type Paint = (text: string) => string;

/** What is said of a host at once, and of all that say the same in the same moment together. */
interface News {
  readonly text: string;
  readonly lines: readonly OutputLine[];
  readonly hosts: string[];
  readonly paint: Paint;
}

/** So few hosts can be read line by line, when a command still writes after so long. */
const fewHosts = 8;
const patienceMs = 10_000;

/** Names of a group take no more than this: every second one of a thousand hosts cannot be folded into ranges. */
const maxNamesColumns = 240;

/** More of a failed command's output than this, and only its end is shown at once. */
const failureLines = 30;

/**
 * A run on a terminal: a few lines at the bottom that tell how far it is, and above them what stays. Output of many hosts
 * appears when a step is over everywhere, once for all that said the same; failures appear at once. With one host there is
 * nothing to compare, and its output appears as it comes.
 */
export function live(terminal: Terminal, clock: Clock, options: LiveOptions = {}): Reporter {
  return new LiveReporter(terminal, clock, options);
}

class LiveReporter implements Reporter {
  readonly #state = new LiveState();
  readonly #fold = new OutputFold((host, line) => this.#print(`${this.#host(host)} ${outputLine(line)}\n`));
  readonly #left = new StepsLeft();
  readonly #ends = new HostFold();
  readonly #clock: Clock;
  readonly #screen: Screen;
  readonly #color: boolean;
  readonly #exec: boolean;
  readonly #verbose: boolean;
  readonly #news = new Map<string, News>();
  #heardAt: number;
  #closed = false;

  constructor(
    terminal: Terminal,
    clock: Clock,
    { color = false, style = "run", verbose = false }: LiveOptions,
  ) {
    this.#clock = clock;
    this.#color = color;
    this.#exec = style === "exec";
    this.#verbose = verbose;
    this.#heardAt = clock.now();
    this.#screen = new Screen(terminal, clock, {
      news: () => this.#takeNews(),
      frame: (columns, rows) => this.#frame(columns, rows),
    });
  }

  event(event: RunEvent): void {
    if (this.#closed) return;
    this.#state.apply(event);
    this.#heardAt = this.#clock.now();
    switch (event.type) {
      case "run-start":
        this.#left.start(event.hosts.length, event.steps);
        break;
      case "host-ready":
        if (this.#verbose) this.#say(event.host, `${connected[event.connection]} ${event.where}`, dim);
        break;
      case "host-unreachable":
        this.#say(event.host, `UNREACHABLE ${event.error.message}`, red);
        break;
      case "step-output":
        this.#fold.push(event, this.#streams(event));
        break;
      case "step-retry": {
        const what = `attempt ${event.attempt} of ${this.#label(event.step)}: ${event.why}; trying again`;
        this.#say(event.host, what, yellow, this.#fold.end(event.host, event.step));
        break;
      }
      case "step-skip":
        if (this.#verbose) {
          this.#say(event.host, `${this.#label(event.step)}: skipped, ${event.reason}`, dim);
        }
        this.#over(this.#left.done(event.host, event.step));
        break;
      case "step-end":
        this.#stepEnd(event);
        break;
      case "host-end":
        this.#ends.add(event);
        for (const step of this.#left.hostEnd(event.host)) this.#over(step);
        break;
      case "run-end":
        this.#runEnd(event);
        return;
    }
    this.#screen.changed();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#print(this.#takeNews());
    this.#tellGroups();
    this.#screen.close();
  }

  /** Whether output is shown as it comes: of one host, and of a few when a command goes on and on (`tail -f`). */
  #streams({ host, step, atMs }: StepOutputEvent): boolean {
    const { hosts } = this.#state;
    return hosts === 1 || (hosts <= fewHosts && this.#state.runningForMs(host, step, atMs) > patienceMs);
  }

  #stepEnd(event: StepEndEvent): void {
    const lines = this.#fold.end(event.host, event.step);
    if (event.status === "ok") {
      if (this.#fold.keep(event.host, event.step, lines)) this.#tellGroups();
    } else {
      const tries = event.attempts > 1 ? ` (${event.attempts} attempts)` : "";
      const label = this.#exec ? "" : ` ${this.#label(event.step)}:`;
      const ignored = event.ignored ? ", ignored" : "";
      const text = `${stepWords[event.status] ?? event.status}${label} ${whyNotOk(event)}${tries}${ignored}`;
      this.#say(event.host, text, event.status === "failed" && !event.ignored ? red : yellow, lines);
    }
    if (!this.#left.knows(event.step)) this.#tellGroups(event.step);
    this.#over(this.#left.done(event.host, event.step));
  }

  #over(step: string | undefined): void {
    if (step !== undefined) this.#tellGroups(step);
  }

  #say(host: string, text: string, paint: Paint, lines: readonly OutputLine[] = []): void {
    const id = JSON.stringify([withoutHost(text, host), lines]);
    const news = this.#news.get(id);
    if (news) news.hosts.push(host);
    else this.#news.set(id, { text, lines, hosts: [host], paint });
  }

  #takeNews(): string {
    const texts = [...this.#news.values()].map(({ text, lines, hosts, paint }) => {
      const shown = lines.slice(-failureLines);
      const left = lines.length - shown.length;
      const told = hosts.length === 1 ? text : withoutHost(text, hosts[0]);
      const [first = "", ...more] = plainText(told).split("\n");
      return [
        `${this.#hosts(hosts)} ${this.#paint(paint, first)}`,
        ...more.map((line) => `  ${this.#paint(paint, line)}`),
        ...(left > 0 ? [this.#paint(dim, `  … ${plural(left, "line")} before this`)] : []),
        ...shown.map((line) => `  ${outputLine(line)}`),
        "",
      ].join("\n");
    });
    this.#news.clear();
    return texts.join("");
  }

  #tellGroups(step?: string): void {
    for (const group of this.#fold.take(step)) {
      const label = this.#exec ? "" : ` ${this.#paint(dim, this.#label(group.step))}`;
      const lines = group.lines.map((line) => `  ${outputLine(line)}\n`);
      this.#print(`${this.#hosts(group.hosts)}${label}\n${lines.join("")}`);
    }
  }

  #runEnd(event: RunEndEvent): void {
    this.#print(this.#takeNews());
    this.#tellGroups();
    const bad = event.status !== "ok";
    if (!this.#exec || bad) {
      for (const { end, hosts, text } of this.#ends.groups()) {
        if (this.#exec && end.status === "ok") continue;
        this.#print(`${this.#hosts(hosts)} ${this.#paint(statusPaint[end.status], oneLine(text))}\n`);
      }
    }
    if (!this.#exec || bad || this.#verbose || this.#state.hosts > 1) {
      const total = hostStatuses.reduce((sum, status) => sum + event.hosts[status], 0);
      const parts = hostStatuses.filter((status) => event.hosts[status] > 0 || status === "ok")
        .map((status) => this.#paint(statusPaint[status], `${event.hosts[status]} ${status}`));
      const opened = `${plural(event.connections, "connection")} opened, ${formatDuration(event.durationMs)}`;
      this.#print(`${this.#paint(bold, plural(total, "host"))}: ${parts.join(", ")}; ${opened}\n`);
    }
    this.close();
  }

  #frame(columns: number, rows: number): { text: string; width: number }[] {
    const nowMs = this.#state.nowMs + (this.#clock.now() - this.#heardAt);
    const lastLine = (host: string, step: string) => this.#fold.lastLine(host, step);
    return liveFrame(this.#state, { columns, rows, nowMs, lastLine }).map((spans) => {
      return { text: fitSpans(spans, columns, this.#color), width: widthOf(fitSpans(spans, columns, false)) };
    });
  }

  #label(step: string): string {
    const title = this.#state.steps.get(step)?.info.title ?? "";
    return oneLine(this.#state.steps.size > 1 ? `${step} ${title}` : title);
  }

  #hosts(hosts: readonly string[]): string {
    if (hosts.length === 1) return this.#host(hosts[0]);
    const names = fitText(oneLine(foldHosts(hosts)), maxNamesColumns);
    return `${this.#paint(bold, names)} ${this.#paint(dim, `(${hosts.length} hosts)`)}`;
  }

  #host(host: string): string {
    return this.#paint(bold, oneLine(host));
  }

  #print(text: string): void {
    this.#screen.print(text);
  }

  #paint(paint: Paint, text: string): string {
    return this.#color ? paint(text) : text;
  }
}

function outputLine({ stream, text }: OutputLine): string {
  return `${stream === "stdout" ? "|" : "!"} ${text}`;
}
