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

interface Folding {
  readonly end: HostEndEvent;
  /** Where it came to its end, if that was told of this one host when it happened. */
  readonly told: string | undefined;
  readonly hosts: string[];
  /** Undefined where they differ in what nobody needs to see: how many steps were not needed. */
  text: string | undefined;
}

/** Puts hosts together that came out the same: a line for 200 hosts, not 200 lines. */
export class HostFold {
  readonly #groups = new Map<string, Folding>();

  /** @param told The step it came to its end at, "" for a host as a whole, where that was told already. */
  add(end: HostEndEvent, told?: string): void {
    const text = withoutHost(hostText(end), end.host);
    const key = end.status === "ok" ? "ok" : text;
    const group = this.#groups.get(key);
    if (!group) return void this.#groups.set(key, { end, told, hosts: [end.host], text });
    group.hosts.push(end.host);
    if (group.text !== text) group.text = undefined;
  }

  /** What went well first, what failed last: on a terminal the last lines are the ones that are seen. */
  groups(): HostGroup[] {
    // What several hosts have in common is seen here only; of one, it stands where it happened.
    const all = [...this.#groups.values()].map(({ end, told, hosts, text = end.status }) => {
      return { end, hosts, text: hosts.length === 1 ? hostText(end, told) : text };
    });
    return all.sort((a, b) => order.indexOf(a.end.status) - order.indexOf(b.end.status));
  }
}

const order = ["ok", "skipped", "interrupted", "unreachable", "failed"];

function hostText({ status, steps, reason }: HostEndEvent, told?: string): string {
  const why = reason && told === undefined ? `: ${reason}` : "";
  if (status === "unreachable" || status === "skipped") return `${status}${why}`;
  return `${status}${told ? ` at step ${told}` : ""} (${stepCounts(steps)})${why}`;
}
