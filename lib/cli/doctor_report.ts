import type { Finding } from "./doctor_finding.ts";
import type { OwnConnection, Ridden } from "./doctor_measure.ts";
import type { Shared } from "./doctor_shared.ts";

/** Everything that was found out about a host. */
export interface Diagnosis {
  /** As it was named. */
  readonly host: string;
  /** `user@host:port`. */
  readonly where: string;
  readonly own: OwnConnection;
  readonly shared: Shared;
  /** Null where no master is live. */
  readonly rides: Ridden | null;
  readonly findings: readonly Finding[];
}

const MARKS = { ok: "ok  ", note: "note", warn: "WARN", bad: "BAD " } as const;

/** For people. */
export function describe({ host, where, own, shared, rides, findings }: Diagnosis): string {
  const name = host === where ? host : `${host} (${where})`;
  const address = own.address !== null && !where.includes(own.address) ? `, address ${own.address}` : "";
  const rtt = own.rttMs === null ? "" : `, round trip ${ms(own.rttMs)}`;
  return [
    `${name}${address}${rtt}`,
    "",
    "Where the time goes",
    ...timeLines(own, rides),
    "",
    "What is shared",
    ...shared.findings.map(lineOf),
    "",
    "What would break, or could be better",
    ...findings.map(lineOf),
    "",
  ].join("\n");
}

function timeLines(own: OwnConnection, rides: Ridden | null): string[] {
  const rows: (readonly [string, string, string])[] = own.parts.map((part) => [
    part.name,
    ms(part.ms),
    turns(part.roundTrips),
  ]);
  if (own.error === undefined && own.parts.length > 0) {
    rows.push([
      "all of it, each time anew",
      ms(own.totalMs),
      turns(own.totalRoundTrips),
    ]);
  }
  if (own.nextCommand) {
    rows.push([
      "one more command on it",
      ms(own.nextCommand.ms),
      turns(own.nextCommand.roundTrips),
    ]);
  }
  if (rides && !rides.error) {
    rows.push(["boarding the live master", ms(rides.connectMs), ""], [
      "a command on it",
      ms(rides.commandMs),
      "",
    ]);
  }
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  const lines = rows.map(([name, time, count]) =>
    `  ${name.padEnd(widths[0]!)}  ${time.padStart(widths[1]!)}  ${count}`.trimEnd()
  );
  if (own.nextCommand && own.error === undefined) {
    const saved = own.totalMs - own.nextCommand.ms;
    if (saved > 0) lines.push(`  sharing saves about ${ms(saved)} of each command after the first`);
  }
  if (rides?.error) lines.push(`  riding the live master failed: ${rides.error.message}`);
  return lines;
}

function lineOf({ level, about, says, fix }: Finding): string {
  const indent = " ".repeat(7);
  return `  ${MARKS[level]} ${about}: ${says.replaceAll("\n", `\n${indent}`)}` +
    (fix === undefined ? "" : `\n${indent}fix: ${fix}`);
}

function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

function turns(count: number | null): string {
  return count === null ? "" : count === 1 ? "1 round trip" : `${count} round trips`;
}
