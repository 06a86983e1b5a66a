import type { HostEndEvent } from "../base/run_event.ts";
import { stepCounts } from "./run_words.ts";
import { withoutHost } from "./without_host.ts";

/** Hosts that came out the same way. */
export interface HostGroup {
  /** One of them. */
  readonly end: HostEndEvent;
  /** In the order in which they came. */
  readonly hosts: readonly string[];
  /** `ok: 3 ok, 1 skipped`. */
  readonly text: string;
}

/** Puts hosts together that came out the same: a line for 200 hosts, not 200 lines. */
export class HostFold {
  readonly #groups = new Map<string, { readonly end: HostEndEvent; readonly hosts: string[] }>();

  add(end: HostEndEvent): void {
    const text = withoutHost(hostText(end), end.host);
    const group = this.#groups.get(text);
    if (group) group.hosts.push(end.host);
    else this.#groups.set(text, { end, hosts: [end.host] });
  }

  /** What went well first: on a terminal the last lines are the ones that are seen. */
  groups(): HostGroup[] {
    const all = [...this.#groups].map(([text, group]) => {
      return { ...group, text: group.hosts.length === 1 ? hostText(group.end) : text };
    });
    return all.sort((a, b) => Number(a.end.status !== "ok") - Number(b.end.status !== "ok"));
  }
}

function hostText({ status, steps, reason }: HostEndEvent): string {
  const why = reason ? `: ${reason}` : "";
  if (status === "unreachable" || status === "skipped") return `${status}${why}`;
  return `${status} (${stepCounts(steps)})${why}`;
}
