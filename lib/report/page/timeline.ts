import { formatDuration } from "../../base/format_duration.ts";
import { type Html, html } from "../html.ts";
import type { HostRecord, RunRecord, StepRecord } from "../run_record.ts";
import { stepCounts } from "../run_words.ts";
import { outputId } from "./pieces.ts";

/** A host with a moment of trouble must not vanish between two pixels: no bar is narrower, in percent. */
const leastPercent = 0.2;
const barHeight = 16;

/** Every host as one line of bars over the same time, what went wrong first, then the longest. */
export function timelinePart(record: RunRecord): Html {
  const spanMs = Math.max(1, record.endedAtMs - record.startedAtMs);
  const hosts = [...record.hosts.values()].sort((a, b) => rank(a) - rank(b) || lengthOf(b) - lengthOf(a));
  const place = (atMs: number) => Math.min(100, Math.max(0, 100 * (atMs - record.startedAtMs) / spanMs));
  return html`
    <section id="timeline" aria-labelledby="timeline-head">
      <h2 id="timeline-head">Timeline</h2>
      <ul class="legend" aria-label="What the bars mean">
        <li><svg class="key" aria-hidden="true"><rect class="new" width="100%" height="100%"/></svg> opening a connection</li>
        <li><svg class="key" aria-hidden="true"><rect class="ride" width="100%" height="100%"/></svg> boarding a live master</li>
        <li><svg class="key" aria-hidden="true"><rect class="ok" width="50%" height="100%"/><rect class="ok even" x="50%" width="50%" height="100%"/></svg> steps, in turn</li>
        <li><svg class="key" aria-hidden="true"><rect class="failed" width="100%" height="100%"/></svg> failed</li>
        <li><svg class="key" aria-hidden="true"><rect class="warn" width="100%" height="100%"/></svg> unknown or interrupted</li>
      </ul>
      <div class="waterfall">
    <div class="host axis" aria-hidden="true"><span></span><svg height="16">${ticks(
      spanMs,
    )}</svg><span></span></div>
    ${hosts.map((host) => hostMarkup(host, place))}
      </div>
    </section>
  `;
}

function rank({ status }: HostRecord): number {
  return ["failed", "unreachable", "interrupted", "running", "skipped", "ok"].indexOf(status);
}

function lengthOf({ startedAtMs, endedAtMs }: HostRecord): number {
  return startedAtMs === undefined || endedAtMs === undefined ? 0 : endedAtMs - startedAtMs;
}

function ticks(spanMs: number): Html[] {
  // Four to ten of them, at round times.
  const rough = spanMs / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const each = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? power;
  const all: Html[] = [];
  for (let at = 0; at <= spanMs * 0.97; at += each) {
    const x = percent(100 * at / spanMs);
    all.push(html`
      <line x1="${x}" x2="${x}" y1="0" y2="16" />
      <text x="${x}" dx="4" y="11">${formatDuration(at).replace(/^0 ms$/, "0")}</text>
    `);
  }
  return all;
}

function hostMarkup(host: HostRecord, place: (atMs: number) => number): Html {
  const bad = host.status === "failed" || host.status === "unreachable"
    ? "failed"
    : host.status === "ok"
    ? "ok"
    : "warn";
  const took = host.startedAtMs === undefined ? "" : formatDuration(lengthOf(host));
  const word = host.status === "running" ? "end not told" : host.status;
  const summary = host.counts && host.startedAtMs !== undefined && !host.unreachable
    ? `${word}: ${stepCounts(host.counts)}`
    : word;
  return html`
    <details class="row">
      <summary><span class="host"><bdi class="name">${host.host}</bdi>${bars(
        host,
        place,
        summary,
      )}<span class="end ${bad}">${host.status === "ok" ? took : word}</span></span></summary>
      <div class="inside">${inside(host, summary, took)}</div>
    </details>
  `;
}

function bars(host: HostRecord, place: (atMs: number) => number, summary: string): Html {
  const lanes = lanesOf(host.steps);
  const height = Math.max(3, barHeight / (1 + Math.max(0, ...lanes.values())));
  const connects = host.connects.map(({ kind, startedAtMs, durationMs }) =>
    bar(
      kind === "new" ? "new" : "ride",
      place(startedAtMs),
      place(startedAtMs + durationMs),
      0,
      barHeight,
      `${kind === "new" ? "opened a connection" : "boarded a live master"}, ${formatDuration(durationMs)}`,
    )
  );
  const steps = host.steps.filter(({ status }) => status !== "skipped").map((step, i) => {
    const kind = step.status === "ok"
      ? (i % 2 === 1 ? "ok even" : "ok")
      : step.status === "failed"
      ? "failed"
      : "warn";
    const lane = lanes.get(step) ?? 0;
    const words = `${step.step} ${step.title}: ${step.status}, ${
      formatDuration(step.endedAtMs - step.startedAtMs)
    }`;
    return bar(kind, place(step.startedAtMs), place(step.endedAtMs), lane * height, height, words);
  });
  const none = host.unreachable && host.startedAtMs !== undefined
    ? bar(
      "failed",
      place(host.startedAtMs),
      place(host.endedAtMs ?? host.startedAtMs),
      0,
      barHeight,
      "unreachable",
    )
    : undefined;
  return html`<svg height="${barHeight}" role="img" aria-label="${summary}">${connects}${steps}${none}</svg>`;
}

function bar(kind: string, from: number, to: number, y: number, height: number, title: string): Html {
  const width = Math.max(leastPercent, to - from);
  return html`
    <rect class="${kind}" x="${percent(Math.min(from, 100 - width))}" width="${percent(
      width,
    )}" y="${y}" height="${height}">
      <title>${title}</title>
    </rect>
  `;
}

function percent(value: number): string {
  return `${Number(value.toFixed(3))}%`;
}

/** Steps that ran side by side, each in a lane of its own. */
function lanesOf(steps: readonly StepRecord[]): Map<StepRecord, number> {
  const ends: number[] = [];
  const lanes = new Map<StepRecord, number>();
  for (const step of steps) {
    const free = ends.findIndex((end) => end <= step.startedAtMs);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = step.endedAtMs;
    lanes.set(step, lane);
  }
  return lanes;
}

function inside(host: HostRecord, summary: string, took: string): Html {
  const [first] = host.connects;
  return html`<p>${host.where ?? host.host}${took && `, ${took}`}; ${summary}${
    host.reason ? `. ${host.reason}` : ""
  }</p>
${first ? html`<p>${connectWords(host)}</p>` : ""}
${host.steps.length > 0 ? stepsTable(host.steps) : ""}`;
}

function connectWords({ connects }: HostRecord): string {
  return connects.map(({ kind, durationMs }) => {
    const how = {
      new: "Connected anew",
      "carpool-master": "Rode a live master of Carpool’s",
      "openssh-master": "Rode a live master of OpenSSH’s",
    }[kind];
    return `${how ?? kind}, in ${formatDuration(durationMs)}.`;
  }).join(" ");
}

function stepsTable(steps: readonly StepRecord[]): Html {
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Step</th>
          <th scope="col">What</th>
          <th scope="col">Result</th>
          <th scope="col">Time</th>
          <th scope="col">Output</th>
        </tr>
      </thead>
      <tbody>${steps.map((step) => {
        const { status, why, attempts, ignored, output } = step;
        const tries = attempts > 1 ? `, ${attempts} attempts` : "";
        const kind = status === "ok" || status === "skipped" ? "" : status === "failed" ? "failed" : "warn";
        return html`
          <tr>
            <td>${step.step}</td>
            <td>${step.title}</td>
            <td class="${kind}">${status}${ignored ? " (ignored)" : ""}${why ? `: ${why}` : ""}${tries}</td>
            <td>${status === "skipped" ? "" : formatDuration(step.endedAtMs - step.startedAtMs)}</td>
            <td>${output ? html`<a href="#${outputId(step.step, output)}">show</a>` : ""}</td>
          </tr>
        `;
      })}</tbody>
    </table>
  `;
}
