import type { RawResult } from "./rounds.ts";
import type { ContenderSummary, PairedRatio, Summary } from "./summary.ts";

/** One workload as lines of text: ratios first, no absolute figure without its ratio where it has one. */
export function table(result: RawResult, summary: Summary): string {
  const { workload } = result;
  const link = workload.link.emulated
    ? `emulated link, round trip ${workload.link.rttMs} ms`
    : "loopback, nothing emulated";
  const rows = [
    ["", "ratio", "from – to", "median", "client CPU", "rounds"],
    ...summary.contenders.map((each) => row(each, workload.baseline)),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  const lines = rows.map((cells) =>
    "  " + cells.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))
      .join("  ")
  );
  const notes = [
    ...[...result.missing].map(([name, why]) => `  missing: ${name}: ${why}`),
    ...[...result.failed].map(([name, why]) => `  FAILED: ${name}: ${why}`),
    ...summary.promises.map(({ kept, text }) =>
      `  ${kept === undefined ? "?" : kept ? "kept" : "MISSED"}: ${text}`
    ),
  ];
  return [`${workload.id}: ${workload.title} (${link})`, ...lines, ...notes, ""].join("\n");
}

function row(each: ContenderSummary, baseline: string): string[] {
  const cpu = each.medianClientCpuMs;
  return [
    each.floor ? `(floor) ${each.contender}` : each.contender,
    each.contender === baseline ? "1" : each.ratio ? each.ratio.median.toFixed(2) : "",
    each.contender === baseline || !each.ratio ? "" : range(each.ratio),
    `${significant(each.median)} ${each.unit}`,
    cpu === undefined ? "" : `${significant(cpu)} ms`,
    String(each.rounds),
  ];
}

function range({ min, max }: PairedRatio): string {
  return `${min.toFixed(2)} – ${max.toFixed(2)}`;
}

function significant(value: number): string {
  if (value === 0) return "0";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
