import { formatDuration } from "../base/format_duration.ts";
import type { RunEndEvent, RunEvent, StepEndEvent } from "../base/run_event.ts";
import { foldHosts } from "./fold_hosts.ts";
import { HostFold } from "./host_fold.ts";
import { OutputFold, type OutputLine } from "./output_fold.ts";
import { plainText } from "./plain_text.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { hostStatuses, plural, stepWords, whyNotOk } from "./run_words.ts";
import { StepsLeft } from "./steps_left.ts";

/** More annotations than this of one run are told as lines: GitHub shows ten of a step, and fifty of a job. */
const maxAnnotations = 50;

/**
 * A run in a GitHub Actions log: each step of it a group that can be unfolded, hosts with the same output together, and
 * what failed as annotations. What hosts say stands between `stop-commands` and its end, so that no output can be a
 * workflow command.
 */
export function github(sink: Sink, newToken: () => string = () => crypto.randomUUID()): Reporter {
  return new GithubReporter(sink, newToken);
}

class GithubReporter implements Reporter {
  readonly #sink: Sink;
  readonly #newToken: () => string;
  readonly #fold = new OutputFold((host, line) => this.#quote([`${plainText(host)} ${outputLine(line)}`]));
  readonly #left = new StepsLeft();
  readonly #ends = new HostFold();
  readonly #titles = new Map<string, string>();
  #annotations = 0;

  constructor(sink: Sink, newToken: () => string) {
    this.#sink = sink;
    this.#newToken = newToken;
  }

  event(event: RunEvent): void {
    switch (event.type) {
      case "run-start":
        this.#left.start(event.hosts.length, event.steps);
        for (const { step, title } of event.steps) this.#titles.set(step, title);
        this.#quote([
          `${event.job}: ${plural(event.hosts.length, "host")}, ${plural(event.steps.length, "step")}`,
        ]);
        break;
      case "host-unreachable":
        this.#annotate("error", `${event.host}: unreachable`, event.error.message);
        break;
      case "step-start":
        this.#titles.set(event.step, event.title);
        break;
      case "step-output":
        this.#fold.push(event);
        break;
      case "step-retry": {
        const what = `attempt ${event.attempt} of ${this.#label(event.step)}: ${event.why}; trying again`;
        const lines = this.#fold.end(event.host, event.step);
        this.#quote([`${event.host} ${what}`, ...lines.map((line) => `  ${outputLine(line)}`)]);
        break;
      }
      case "step-skip":
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
        break;
    }
  }

  close(): void {
    this.#tellGroups();
  }

  #stepEnd(event: StepEndEvent): void {
    const lines = this.#fold.end(event.host, event.step);
    if (event.status === "ok") {
      if (this.#fold.keep(event.host, event.step, lines)) this.#tellGroups();
    } else {
      const level = event.status === "failed" && !event.ignored ? "error" : "warning";
      const word = event.ignored
        ? "failed, ignored"
        : (stepWords[event.status] ?? event.status).toLowerCase();
      const last = lines.slice(-10).map((line) => outputLine(line));
      this.#group(`${event.host} ${word}: ${this.#label(event.step)}`, lines.map(outputLine));
      const message = [whyNotOk(event), ...last].join("\n");
      this.#annotate(level, `${event.host}: ${this.#label(event.step)} ${word}`, message);
    }
    if (!this.#left.knows(event.step)) this.#tellGroups(event.step);
    this.#over(this.#left.done(event.host, event.step));
  }

  #over(step: string | undefined): void {
    if (step !== undefined) this.#tellGroups(step);
  }

  #tellGroups(step?: string): void {
    for (const group of this.#fold.take(step)) {
      const hosts = `${foldHosts(group.hosts)}${
        group.hosts.length > 1 ? ` (${group.hosts.length} hosts)` : ""
      }`;
      this.#group(`${this.#label(group.step)}: ${hosts}`, group.lines.map(outputLine));
    }
  }

  #runEnd(event: RunEndEvent): void {
    this.#tellGroups();
    const total = hostStatuses.reduce((sum, status) => sum + event.hosts[status], 0);
    const parts = hostStatuses.filter((status) => event.hosts[status] > 0 || status === "ok")
      .map((status) => `${event.hosts[status]} ${status}`);
    const opened = `${plural(event.connections, "connection")} opened, ${formatDuration(event.durationMs)}`;
    this.#quote([
      ...this.#ends.groups().map(({ hosts, text }) => `${foldHosts(hosts)} ${text}`),
      `${plural(total, "host")}: ${parts.join(", ")}; ${opened}`,
    ]);
  }

  #group(title: string, lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#sink(`::group::${data(title)}\n`, "stdout");
    this.#quote(lines);
    this.#sink("::endgroup::\n", "stdout");
  }

  #annotate(level: "error" | "warning", title: string, message: string): void {
    if (++this.#annotations > maxAnnotations) return this.#quote([`${title}: ${message}`]);
    this.#sink(`::${level} title=${property(title)}::${data(message)}\n`, "stdout");
  }

  /** Lines that the runner must not read: a host may know the commands, but not the token, which is new each time. */
  #quote(lines: readonly string[]): void {
    const token = this.#newToken();
    const text = lines.flatMap((line) => plainText(line).split("\n")).join("\n");
    this.#sink(`::stop-commands::${token}\n${text}\n::${token}::\n`, "stdout");
  }

  #label(step: string): string {
    return `${step} ${this.#titles.get(step) ?? ""}`.trimEnd();
  }
}

function outputLine({ stream, text }: OutputLine): string {
  return `${stream === "stdout" ? "|" : "!"} ${text}`;
}

/** As the runner takes it apart again: a message's own line ends and percent signs. */
function data(text: string): string {
  return plainText(text).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
