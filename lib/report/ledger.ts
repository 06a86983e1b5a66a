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
  /** Time of connecting; null where this run measured nothing to reckon it by. */
  readonly seconds: {
    /** Saved, over all hosts together, as if they came one after the other. */
    readonly sum: number;
    /** Spent on the connections that were opened. */
    readonly made: number;
    /** Saved on the host that was saved the most. */
    readonly longest: number;
    /** Median of connecting; null where every host was ridden. */
    readonly connect: number | null;
    /** Hosts whose connecting was measured in this run. */
    readonly measured: number;
    /** Hosts that were ridden and whose round trips were measured: their share of `sum` is those round trips alone. */
    readonly byRoundTrips: { readonly hosts: number; readonly sum: number };
    /** Hosts of which neither is known; they add nothing. */
    readonly unknown: number;
  } | null;
}

/** Counts from what was told of a run, and from nothing else. */
export function ledgerOf(record: RunRecord): Ledger {
  let [hosts, sessions, opened, carpool, openssh, avoided] = [0, 0, 0, 0, 0, 0];
  let [separate, shared, sum, made, longest, unknown] = [0, 0, 0, 0, 0, 0];
  const measured: number[] = [];
  const byRoundTrips = { hosts: 0, sum: 0 };
  for (const { connects, steps, rttMs } of record.hosts.values()) {
    if (connects.length === 0) continue;
    hosts++;
    const fresh = connects.filter(({ kind }) => kind === "new");
    const used = steps.reduce((count, step) => count + (local.has(step.kind) ? 0 : step.attempts), 0);
    const fewer = Math.max(0, used - fresh.length);
    sessions += used;
    opened += fresh.length;
    carpool += connects.filter(({ kind }) => kind === "carpool-master").length;
    openssh += connects.filter(({ kind }) => kind === "openssh-master").length;
    avoided += fewer;
    separate += newSshRoundTrips * used;
    shared += newSshRoundTrips * Math.min(used, fresh.length) + sharedRoundTrips * fewer;
    let gained = 0;
    if (fresh.length > 0) {
      const spent = fresh.reduce((total, { durationMs }) => total + durationMs, 0) / 1000;
      gained = spent / fresh.length * fewer;
      made += spent;
      measured.push(spent / fresh.length);
    } else if (rttMs !== undefined) {
      gained = (newSshRoundTrips - sharedRoundTrips) * rttMs / 1000 * fewer;
      byRoundTrips.hosts++;
      byRoundTrips.sum += gained;
    } else unknown++;
    sum += gained;
    longest = Math.max(longest, gained);
  }
  const connect = measured.length === 0 ? null : median(measured);
  const seconds = measured.length + byRoundTrips.hosts === 0
    ? null
    : { sum, made, longest, connect, measured: measured.length, byRoundTrips, unknown };
  const ridden = { carpool, openssh };
  return { hosts, sessions, opened, ridden, avoided, roundTrips: { separate, shared }, seconds };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
