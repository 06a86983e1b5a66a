import type { RunRecord } from "./run_record.ts";

/** Round trips of a new `ssh` with its one command: TCP, key exchange, login, session (bench/MODEL.md). */
export const newSshRoundTrips = 9;
/** Round trips of a command on a connection that is there, as through OpenSSH's own sharing (bench/MODEL.md). */
export const sharedRoundTrips = 2;

/** These steps ask a person or this program, not the host. */
const local = new Set(["prompt", "confirm", "reconnect"]);

/** What sharing the connections saved in a run. */
export interface Ledger {
  /** Hosts that were reached. */
  readonly hosts: number;
  /** Commands and copies, each attempt by itself: the connections that a new `ssh` for each would have opened. */
  readonly sessions: number;
  /** Connections that this run opened. */
  readonly opened: number;
  /** Live masters that it rode instead: Carpool's, OpenSSH's. */
  readonly ridden: { readonly carpool: number; readonly openssh: number };
  /** Connections that were not opened. */
  readonly avoided: number;
  /** At two for each session, and a new ssh's for each connection opened. */
  readonly roundTrips: { readonly separate: number; readonly shared: number };
  /** From the hosts whose connecting was measured in this run; null where none was. */
  readonly seconds: {
    /** Over all those hosts together, as if they came one after the other. */
    readonly sum: number;
    /** What those hosts spent on connecting. */
    readonly made: number;
    /** Of the host that was saved the most. */
    readonly longest: number;
    /** Median of connecting, for those hosts. */
    readonly connect: number;
    /** Hosts it was measured on. */
    readonly hosts: number;
    /** Connections not opened to hosts on which nothing was measured, because a live master was ridden. */
    readonly avoidedUnmeasured: number;
  } | null;
}

/** Counts from what was told of a run, and from nothing else. */
export function ledgerOf(record: RunRecord): Ledger {
  let [hosts, sessions, opened, carpool, openssh, avoided] = [0, 0, 0, 0, 0, 0];
  let [separate, shared, sum, spent, longest, avoidedUnmeasured] = [0, 0, 0, 0, 0, 0];
  const measured: number[] = [];
  for (const { connects, steps } of record.hosts.values()) {
    if (connects.length === 0) continue;
    hosts++;
    const made = connects.filter(({ kind }) => kind === "new");
    const used = steps.reduce((count, step) => count + (local.has(step.kind) ? 0 : step.attempts), 0);
    const fewer = Math.max(0, used - made.length);
    sessions += used;
    opened += made.length;
    carpool += connects.filter(({ kind }) => kind === "carpool-master").length;
    openssh += connects.filter(({ kind }) => kind === "openssh-master").length;
    avoided += fewer;
    separate += newSshRoundTrips * used;
    shared += newSshRoundTrips * Math.min(used, made.length) + sharedRoundTrips * fewer;
    if (made.length === 0) {
      avoidedUnmeasured += fewer;
      continue;
    }
    const each = made.reduce((total, { durationMs }) => total + durationMs, 0) / made.length / 1000;
    measured.push(each);
    sum += each * fewer;
    spent += each * made.length;
    longest = Math.max(longest, each * fewer);
  }
  const seconds = measured.length === 0
    ? null
    : { sum, made: spent, longest, connect: median(measured), hosts: measured.length, avoidedUnmeasured };
  const ridden = { carpool, openssh };
  return { hosts, sessions, opened, ridden, avoided, roundTrips: { separate, shared }, seconds };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
