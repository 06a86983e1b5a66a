import { formatDuration } from "../base/format_duration.ts";
import type {
  ConnectionKind,
  HostEndEvent,
  HostStatus,
  RunEndEvent,
  StepEndEvent,
  StepRetryEvent,
} from "../base/run_event.ts";
import { green, red, yellow } from "../deps/std_colors.ts";

/** The order in which hosts are counted, for people. */
export const hostStatuses: readonly HostStatus[] = ["ok", "failed", "unreachable", "skipped", "interrupted"];

/** What became of a step that is not ok, in capitals. */
export const stepWords: Readonly<Record<string, string>> = {
  failed: "FAILED",
  unknown: "UNKNOWN",
  interrupted: "INTERRUPTED",
};

/** How a host was connected to. */
export const connected: Readonly<Record<ConnectionKind, string>> = {
  new: "connected to",
  "carpool-master": "riding the master of",
  "openssh-master": "riding OpenSSH's master of",
};

/** The colour of what became of a host. */
export const statusPaint: Readonly<Record<HostStatus, (text: string) => string>> = {
  ok: green,
  failed: red,
  unreachable: red,
  skipped: yellow,
  interrupted: yellow,
};

/** Why a step is not ok. */
export function whyNotOk(event: StepEndEvent): string {
  // The duration is that of all attempts together.
  if (event.timedOut) {
    return event.attempts > 1 ? "timed out" : `timed out after ${formatDuration(event.durationMs)}`;
  }
  if (event.error) return event.error.message;
  if (event.outcome === "exited") return `exit status ${event.code}`;
  if (event.outcome === "signalled") return `ended by SIG${event.signal}`;
  return event.outcome ?? "";
}

/**
 * What became of a step that is not ok, or that is tried again: `FAILED 3 migrate: exit status 1 (2 attempts)`. One that
 * is ignored says so before why it failed, which may be long and may end with what to do.
 *
 * @param label The step; empty where there is only one thing that was done.
 */
export function stepText(event: StepEndEvent | StepRetryEvent, label: string): string {
  if (event.type === "step-retry") {
    const of = label === "" ? "" : ` of ${label}`;
    return `attempt ${event.attempt}${of}: ${event.why}; trying again`;
  }
  const word = stepWords[event.status] ?? event.status;
  const ignored = event.ignored ? " (ignored)" : "";
  const tries = event.attempts > 1 ? ` (${event.attempts} attempts)` : "";
  return `${word}${ignored}${label === "" ? "" : ` ${label}:`} ${whyNotOk(event)}${tries}`;
}

/** Red for what failed for good, yellow for everything else that is not ok. */
export function stepPaint(event: StepEndEvent | StepRetryEvent): (text: string) => string {
  return event.type === "step-end" && event.status === "failed" && !event.ignored ? red : yellow;
}

type Paint = (text: string) => string;

/** The last line of a run: `3 hosts: 2 ok, 1 failed; 3 connections opened, 1.2 s`. */
export function runTotals(
  { hosts, connections, durationMs }: RunEndEvent,
  paint: (paint: Paint, text: string) => string = (_, text) => text,
  head: Paint = (text) => text,
): string {
  const total = hostStatuses.reduce((sum, status) => sum + hosts[status], 0);
  const parts = hostStatuses.filter((status) => hosts[status] > 0 || status === "ok")
    .map((status) => paint(statusPaint[status], `${hosts[status]} ${status}`));
  const opened = `${plural(connections, "connection")} opened, ${formatDuration(durationMs)}`;
  return `${head(plural(total, "host"))}: ${parts.join(", ")}; ${opened}`;
}

/** A host's steps by what became of them: `3 ok, 1 failed, 2 not run`. */
export function stepCounts(
  { ok, failed, ignored = 0, unknown, skipped, notRun }: HostEndEvent["steps"],
): string {
  return [
    `${ok} ok`,
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(ignored > 0 ? [`${ignored} ignored`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(unknown > 0 ? [`${unknown} unknown`] : []),
    ...(notRun > 0 ? [`${notRun} not run`] : []),
  ].join(", ");
}

/** `1 host`, `2 hosts`. */
export function plural(count: number, word: string, words = `${word}s`): string {
  return `${count} ${count === 1 ? word : words}`;
}

/** `999 B`, `12.3 kB`, `4.5 MB`, in thousands, as networks count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
