import type { RunEvent, StepEndEvent, StepRetryEvent } from "../base/run_event.ts";
import { foldHosts } from "./fold_hosts.ts";
import { FoldedRun } from "./folded_run.ts";
import type { OutputGroup, OutputLine } from "./output_fold.ts";
import { plainText } from "./plain_text.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { plural, runTotals, stepText, stepWords, whyNotOk } from "./run_words.ts";

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
  readonly #run = new FoldedRun({
    group: (group) => this.#outputGroup(group),
    line: (host, line) => this.#quote([`${host} ${outputLine(line)}`]),
    bad: (event, lines) => this.#bad(event, lines.map(outputLine)),
  });
  readonly #titles = new Map<string, string>();
  #annotations = 0;

  constructor(sink: Sink, newToken: () => string) {
    this.#sink = sink;
    this.#newToken = newToken;
  }

  event(event: RunEvent): void {
    switch (event.type) {
      case "run-start":
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
      case "run-end": {
        this.#run.tellGroups();
        const hosts = this.#run.hosts().map(({ hosts, text }) => `${foldHosts(hosts)} ${text}`);
        this.#quote([...hosts, runTotals(event)]);
        break;
      }
    }
    this.#run.event(event);
  }

  close(): void {
    this.#run.tellGroups();
  }

  #bad(event: StepEndEvent | StepRetryEvent, lines: readonly string[]): void {
    const { host } = event;
    const label = this.#label(event.step);
    if (event.type === "step-retry") {
      return this.#quote([`${host} ${stepText(event, label)}`, ...lines.map((line) => `  ${line}`)]);
    }
    const level = event.status === "failed" && !event.ignored ? "error" : "warning";
    const word = event.ignored ? "failed, ignored" : (stepWords[event.status] ?? event.status).toLowerCase();
    this.#group(`${host} ${word}: ${label}`, lines);
    this.#annotate(level, `${host}: ${label} ${word}`, [whyNotOk(event), ...lines.slice(-10)].join("\n"));
  }

  #outputGroup({ step, hosts, lines }: OutputGroup): void {
    const count = hosts.length > 1 ? ` (${hosts.length} hosts)` : "";
    this.#group(`${this.#label(step)}: ${foldHosts(hosts)}${count}`, lines.map(outputLine));
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
