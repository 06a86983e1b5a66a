import type { RunEvent } from "../base/run_event.ts";
import type { KeptOutput } from "./output_keeper.ts";
import { plainText } from "./plain_text.ts";
import type { Reporter, Sink } from "./reporter.ts";
import { type HostRecord, RunRecord, type StepRecord } from "./run_record.ts";
import { xmlElement, xmlText } from "./xml.ts";

/**
 * `--output junit`: one XML document when the run is over, as CI systems read it. A host is a suite and a step a case; what
 * failed is a `failure`, what could not be found out (unreachable, unknown, stopped) an `error`, what was not needed or not
 * reached is `skipped`. Outputs are bounded as in the HTML report.
 */
export function junit(sink: Sink): Reporter {
  const record = new RunRecord();
  let written = false;
  return {
    event(event: RunEvent): void {
      record.apply(event);
    },
    close(): void {
      if (written || !record.begun) return;
      written = true;
      record.finish();
      sink(documentOf(record), "stdout");
    },
  };
}

interface Counts {
  tests: number;
  failures: number;
  errors: number;
  skipped: number;
}

function documentOf(record: RunRecord): string {
  const total: Counts = { tests: 0, failures: 0, errors: 0, skipped: 0 };
  const suites = [...record.hosts.values()].map((host) => suiteOf(record, host, total));
  const timeMs = record.end?.durationMs ?? record.endedAtMs - record.startedAtMs;
  const attributes = { name: plainText(record.job), ...total, time: seconds(timeMs) };
  const document = xmlElement("testsuites", attributes, `\n${suites.join("\n")}\n`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${document}\n`;
}

function suiteOf(record: RunRecord, host: HostRecord, total: Counts): string {
  const counts: Counts = { tests: 0, failures: 0, errors: 0, skipped: 0 };
  const name = plainText(host.host);
  const cases: string[] = [];
  const add = (title: string, timeMs: number, result: Result, output?: KeptOutput) => {
    counts.tests++;
    if (result) counts[result.counts]++;
    const attributes = { name: plainText(title), classname: name, time: seconds(timeMs) };
    const content = (result?.markup ?? "") + outputsOf(output);
    cases.push(xmlElement("testcase", attributes, content));
  };
  const ran = new Set(host.steps.map(({ step }) => step));
  if (host.unreachable) add("connect", 0, resultOf("error", host.unreachable.message, host.unreachable.code));
  for (const step of host.steps) {
    add(titleOf(step), step.endedAtMs - step.startedAtMs, stepResult(step), step.output);
  }
  for (const step of record.steps) {
    if (ran.has(step.step)) continue;
    const why = host.status === "ok" ? "not needed" : `not reached: ${host.reason ?? host.status}`;
    add(titleOf(step), 0, resultOf("skipped", why));
  }
  for (const key of ["tests", "failures", "errors", "skipped"] as const) total[key] += counts[key];
  const startedAtMs = host.startedAtMs ?? record.startedAtMs;
  const attributes = {
    name,
    ...counts,
    time: seconds((host.endedAtMs ?? record.endedAtMs) - startedAtMs),
    // ISO 8601 without a zone, as readers of the format expect it; UTC.
    timestamp: new Date(startedAtMs).toISOString().slice(0, 19),
    hostname: host.where && plainText(host.where),
  };
  return xmlElement("testsuite", attributes, cases.length === 0 ? "" : `\n${cases.join("\n")}\n`);
}

type Result = { readonly counts: "failures" | "errors" | "skipped"; readonly markup: string } | undefined;

function stepResult({ status, why = "", ignored }: StepRecord): Result {
  if (status === "ok") return undefined;
  if (status === "skipped") return resultOf("skipped", why);
  // The job says to go on, so CI must not stop: but it should be seen.
  if (ignored) return resultOf("skipped", `failed, and ignored: ${why}`);
  if (status === "failed") return resultOf("failure", why, status);
  return resultOf("error", why || "its end was not told", status);
}

function resultOf(name: "failure" | "error" | "skipped", message: string, type?: string): Result {
  const counts = ({ failure: "failures", error: "errors", skipped: "skipped" } as const)[name];
  return { counts, markup: xmlElement(name, { message: plainText(message), type }) };
}

function outputsOf(output: KeptOutput | undefined): string {
  return (["stdout", "stderr"] as const).map((stream) => {
    const pieces = output?.pieces.filter((piece) => piece.stream === stream || piece.stream === "note") ?? [];
    if (!pieces.some((piece) => piece.stream === stream)) return "";
    const text = pieces.map((piece) => piece.stream === "note" ? `[${piece.text}]` : piece.text).join("\n");
    return xmlElement(stream === "stdout" ? "system-out" : "system-err", {}, xmlText(text));
  }).join("");
}

function titleOf({ step, title }: { readonly step: string; readonly title: string }): string {
  return `${step} ${title}`;
}

function seconds(ms: number): string {
  return (Math.max(0, ms) / 1000).toFixed(3);
}
