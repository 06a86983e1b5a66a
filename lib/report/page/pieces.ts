import { foldHosts } from "../fold_hosts.ts";
import { type Html, html } from "../html.ts";
import type { KeptOutput } from "../output_keeper.ts";

/** Hosts as ranges, with their number where there are several. */
export function hostsText(hosts: readonly string[]): Html {
  const count = hosts.length > 1
    ? html`
      <span class="count">${hosts.length} hosts</span>
    `
    : undefined;
  return html`<bdi>${foldHosts(hosts)}</bdi>${count}`;
}

/** What a command wrote; scrolls by itself, also with the keyboard. */
export function outputMarkup({ pieces }: KeptOutput, what: string, id?: string): Html {
  const lines = pieces.map(({ stream, text }, i) => {
    const end = i < pieces.length - 1 ? "\n" : "";
    if (stream === "stdout") return html`${text}${end}`;
    if (stream === "stderr") return html`<span class="err">${text}</span>${end}`;
    return html`<span class="note">[${text}]</span>${end}`;
  });
  const attributes = id === undefined ? undefined : html`
    id="${id}"
  `;
  return html`<pre${attributes} tabindex="0" role="region" aria-label="Output of ${what}">${lines}</pre>`;
}

/** `#output-3-12`: a step's number may hold letters and dots. */
export function outputId(step: string, output: KeptOutput): string {
  return `output-${step.replace(/[^\w.-]/g, "_")}-${output.id}`;
}
