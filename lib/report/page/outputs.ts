import { foldHosts } from "../fold_hosts.ts";
import { type Html, html } from "../html.ts";
import type { KeptOutput } from "../output_keeper.ts";
import type { RunRecord, StepRecord } from "../run_record.ts";
import { hostsText, outputId, outputMarkup } from "./pieces.ts";

/** More different outputs of one step than this, and the rest stays folded: two hundred lines hide the next step. */
const maxShown = 8;

interface Group {
  readonly step: StepRecord;
  readonly output: KeptOutput;
  readonly hosts: string[];
}

/** What every step wrote, hosts with the same output together. */
export function outputsPart(record: RunRecord): Html {
  const steps = new Map<string, Map<number, Group>>();
  for (const { step } of record.steps) steps.set(step, new Map());
  for (const { host, steps: done } of record.hosts.values()) {
    for (const step of done) {
      if (!step.output) continue;
      const groups = steps.get(step.step) ?? new Map<number, Group>();
      steps.set(step.step, groups);
      const group = groups.get(step.output.id);
      if (group) group.hosts.push(host);
      else groups.set(step.output.id, { step, output: step.output, hosts: [host] });
    }
  }
  const shown = [...steps].filter(([, groups]) => groups.size > 0);
  return html`<section id="outputs" aria-labelledby="outputs-head">
<h2 id="outputs-head">Outputs</h2>
${shown.length === 0 ? html`<p class="calm">Nothing was written.</p>` : ""}
${shown.map(([step, groups]) => stepMarkup(step, [...groups.values()]))}
</section>`;
}

function stepMarkup(step: string, groups: readonly Group[]): Html {
  const title = groups[0].step.title;
  const sorted = [...groups].sort((a, b) => b.hosts.length - a.hosts.length);
  const all = sorted.map((group) => groupMarkup(group, groups.length === 1));
  return html`<h3>${step} ${title} <span class="count">${
    groups.length === 1 ? "1 output" : `${groups.length} different outputs`
  }</span></h3>
${all.slice(0, maxShown)}${
    all.length > maxShown
      ? html`<details class="more"><summary>${all.length - maxShown} more, each different</summary>
${all.slice(maxShown)}</details>`
      : ""
  }`;
}

function groupMarkup({ step, output, hosts }: Group, open: boolean): Html {
  const first = output.pieces[0].text.split("\n", 1)[0].slice(0, 160);
  return html`
    <details class="output" ${open ? isOpen : undefined}>
      <summary><span class="what">${hostsText(hosts)} <span class="first">${first}</span></span></summary>
      ${outputMarkup(output, `${step.title} on ${foldHosts(hosts)}`, outputId(step.step, output))}
    </details>
  `;
}

const isOpen = html`open`;
