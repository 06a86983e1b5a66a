import type { RunEndEvent, RunEvent, StepOutputEvent } from "../base/run_event.ts";
import { bold, dim, red } from "../deps/std_colors.ts";
import { foldHosts } from "./fold_hosts.ts";
import { FoldedRun } from "./folded_run.ts";
import { liveFrame } from "./live_frame.ts";
import { LiveState } from "./live_state.ts";
import type { OutputGroup, OutputLine } from "./output_fold.ts";
import { oneLine, plainText } from "./plain_text.ts";
import type { Reporter } from "./reporter.ts";
import { connected, plural, runTotals, statusPaint, stepPaint, stepText } from "./run_words.ts";
import { type Clock, Screen, type Terminal } from "./screen.ts";
import { fitSpans, fitText, widthOf } from "./spans.ts";
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
  readonly #run = new FoldedRun({
    group: (group) => this.#group(group),
    line: (host, line) => this.#print(`${this.#host(host)} ${outputLine(line)}\n`),
    bad: (event, lines) => {
      const label = this.#exec && event.type === "step-end" ? "" : this.#label(event.step);
      this.#say(event.host, stepText(event, label), stepPaint(event), lines);
    },
    streams: (event) => this.#streams(event),
  });
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
    this.#run.event(event);
    switch (event.type) {
      case "host-ready":
        if (this.#verbose) this.#say(event.host, `${connected[event.connection]} ${event.where}`, dim);
        break;
      case "host-unreachable":
        this.#say(event.host, `UNREACHABLE ${event.error.message}`, red);
        break;
      case "step-skip":
        if (this.#verbose) {
          this.#say(event.host, `${this.#label(event.step)}: skipped, ${event.reason}`, dim);
        }
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
    this.#run.tellGroups();
    this.#screen.close();
  }

  /** Whether output is shown as it comes: of one host, and of a few when a command goes on and on (`tail -f`). */
  #streams({ host, step, atMs }: StepOutputEvent): boolean {
    const { hosts } = this.#state;
    return hosts === 1 || (hosts <= fewHosts && this.#state.runningForMs(host, step, atMs) > patienceMs);
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

  #group({ step, hosts, lines }: OutputGroup): void {
    const label = this.#exec ? "" : ` ${this.#paint(dim, this.#label(step))}`;
    const shown = lines.map((line) => `  ${outputLine(line)}\n`).join("");
    // What happened before is told before: a failure is not to stand below what `finally` wrote.
    this.#print(`${this.#takeNews()}${this.#hosts(hosts)}${label}\n${shown}`);
  }

  #runEnd(event: RunEndEvent): void {
    this.#print(this.#takeNews());
    this.#run.tellGroups();
    const bad = event.status !== "ok";
    if (!this.#exec || bad) {
      for (const { end, hosts, text } of this.#run.hosts()) {
        if (this.#exec && end.status === "ok") continue;
        this.#print(`${this.#hosts(hosts)} ${this.#paint(statusPaint[end.status], oneLine(text))}\n`);
      }
    }
    if (!this.#exec || bad || this.#verbose || this.#state.hosts > 1) {
      const bolder = (text: string) => this.#paint(bold, text);
      this.#print(`${runTotals(event, (paint, text) => this.#paint(paint, text), bolder)}\n`);
    }
    this.close();
  }

  #frame(columns: number, rows: number): { text: string; width: number }[] {
    const nowMs = this.#state.nowMs + (this.#clock.now() - this.#heardAt);
    const lastLine = (host: string, step: string) => this.#run.lastLine(host, step);
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
