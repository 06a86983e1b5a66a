import type { HostEndEvent, RunEvent } from "../base/run_event.ts";

/** What of a host's end was told when it happened: the end of a run sums up, and does not repeat it. */
export class Told {
  readonly #keys = new Set<string>();

  event(event: RunEvent): void {
    if (event.type === "host-unreachable") this.#keys.add(key(event.host));
    else if (event.type === "step-end" && event.status !== "ok") this.#keys.add(key(event.host, event.step));
  }

  /**
   * The step that a host came to its end at, where that was told, and "" for a host that could not be reached; undefined
   * where the reason is news.
   */
  stepOf({ host, reason }: HostEndEvent): string | undefined {
    if (reason === undefined) return undefined;
    const step = /^step (\S+) \(/.exec(reason)?.[1] ?? "";
    return this.#keys.has(key(host, step)) ? step : undefined;
  }
}

function key(host: string, step = ""): string {
  return `${host}\0${step}`;
}
