import { foldHosts } from "../fold_hosts.ts";
import { type Html, html } from "../html.ts";
import type { KeptOutput } from "../output_keeper.ts";
import type { HostRecord, RunRecord, StepRecord } from "../run_record.ts";
import { plural, stepWords } from "../run_words.ts";
import { withoutHost } from "../without_host.ts";
import { hostsText, outputMarkup } from "./pieces.ts";

/** Different messages of one kind that are shown; hosts that cannot be reached say nearly the same two hundred times. */
const maxMessages = 10;

interface Failure {
  readonly step: StepRecord;
  why: string;
  readonly output: KeptOutput | undefined;
  readonly hosts: string[];
}

/** What went wrong, the same on several hosts told once, most hosts first. */
export function failuresPart(record: RunRecord): Html {
  const hosts = [...record.hosts.values()];
  const failures = stepFailures(hosts);
  const unreachable = unreachableHosts(hosts);
  const stopped = notRun(hosts);
  const all = [...failures.map(failureMarkup), ...unreachable, ...stopped];
  return html`<section id="failures" aria-labelledby="failures-head">
<h2 id="failures-head">Failures</h2>
${all.length === 0 ? html`<p class="calm">Nothing failed.</p>` : all}
</section>`;
}

function stepFailures(hosts: readonly HostRecord[]): Failure[] {
  const failures = new Map<string, Failure>();
  for (const { host, steps } of hosts) {
    for (const step of steps) {
      if (step.status === "ok" || step.status === "skipped") continue;
      const why = step.why ?? "its end was not told";
      const same = withoutHost(why, host);
      const id = JSON.stringify([step.step, step.status, same, step.output?.id, step.ignored]);
      const known = failures.get(id);
      if (known) {
        known.hosts.push(host);
        known.why = same;
      } else failures.set(id, { step, why, output: step.output, hosts: [host] });
    }
  }
  // What the job says to ignore comes last.
  return [...failures.values()].sort((a, b) =>
    Number(a.step.ignored) - Number(b.step.ignored) || b.hosts.length - a.hosts.length
  );
}

function failureMarkup({ step, why, output, hosts }: Failure): Html {
  const word = step.ignored ? "failed, ignored" : (stepWords[step.status] ?? step.status).toLowerCase();
  const kind = step.status === "failed" && !step.ignored ? "failed" : "warn";
  return html`<article class="failure ${kind}">
<h3><span class="badge ${kind}">${word}</span> ${step.step} ${step.title}</h3>
<p class="hosts">${hostsText(hosts)}</p>
<p class="why">${why}${step.attempts > 1 ? ` (${step.attempts} attempts)` : ""}</p>
${output ? outputMarkup(output, step.title) : ""}
</article>`;
}

interface Unreachable {
  readonly hosts: string[];
  /** What is said, by what is said of whichever host. */
  readonly messages: Map<string, string>;
}

function unreachableHosts(hosts: readonly HostRecord[]): Html[] {
  const byCode = new Map<string, Unreachable>();
  for (const { host, unreachable } of hosts) {
    if (!unreachable) continue;
    const known: Unreachable = byCode.get(unreachable.code) ?? { hosts: [], messages: new Map() };
    byCode.set(unreachable.code, known);
    known.hosts.push(host);
    const same = withoutHost(unreachable.message, host);
    known.messages.set(same, known.messages.has(same) ? same : unreachable.message);
  }
  return [...byCode].sort(([, a], [, b]) => b.hosts.length - a.hosts.length).map(([code, group]) => {
    const messages = [...group.messages.values()];
    const more = messages.length - maxMessages;
    return html`<article class="failure failed">
<h3><span class="badge failed">unreachable</span> ${code}</h3>
<p class="hosts">${hostsText(group.hosts)}</p>
<ul class="why">${messages.slice(0, maxMessages).map((message) => html`<li>${message}</li>`)}</ul>
${more > 0 ? html`<p class="note">and ${plural(more, "message")} like these</p>` : ""}
</article>`;
  });
}

/** Hosts that were never begun, or were stopped between two steps: no step of theirs tells it. */
function notRun(hosts: readonly HostRecord[]): Html[] {
  const groups = new Map<string, HostRecord[]>();
  for (const host of hosts) {
    if (host.status !== "skipped" && host.status !== "interrupted" && host.status !== "running") continue;
    if (host.steps.some(({ status }) => status !== "ok" && status !== "skipped")) continue;
    const id = JSON.stringify([host.status, host.reason]);
    groups.set(id, [...groups.get(id) ?? [], host]);
  }
  return [...groups.values()].map((group) => {
    const [{ status, reason }] = group;
    const word = status === "running" ? "end not told" : status;
    return html`<article class="failure warn">
<h3><span class="badge warn">${word}</span> ${plural(group.length, "host")}</h3>
<p class="hosts">${foldHosts(group.map(({ host }) => host))}</p>
${reason ? html`<p class="why">${reason}</p>` : ""}
</article>`;
  });
}
