import type { RawResult } from "./rounds.ts";
import type { ContenderSummary, PairedRatio, Summary } from "./summary.ts";

/** A column of the table; one that nobody has anything in is left out. */
interface Column {
  readonly head: string;
  readonly cell: (each: ContenderSummary, baseline: string) => string;
}

const COLUMNS: readonly Column[] = [
  { head: "", cell: ({ floor, contender }) => floor ? `(floor) ${contender}` : contender },
  {
    head: "ratio",
    cell: ({ contender, ratio, stopped }, baseline) =>
      contender === baseline ? "1" : ratio ? `${stopped ? "≥ " : ""}${ratio.median.toFixed(2)}` : "",
  },
  {
    head: "from – to",
    cell: ({ contender, ratio }, baseline) => contender === baseline || !ratio ? "" : range(ratio),
  },
  {
    head: "median",
    cell: ({ median, unit, stopped }) => `${stopped ? "≥ " : ""}${significant(median)} ${unit}`,
  },
  { head: "client CPU", cell: ({ medianClientCpuMs }) => figure(medianClientCpuMs, "ms") },
  { head: "server CPU", cell: ({ medianServerCpuMs }) => figure(medianServerCpuMs, "ms") },
  { head: "peak memory", cell: ({ medianPeakMB }) => figure(medianPeakMB, "MB") },
  { head: "rounds", cell: ({ rounds }) => String(rounds) },
];

/** One workload as lines of text: ratios first, no absolute figure without its ratio where it has one. */
export function table(result: RawResult, summary: Summary): string {
  const { workload } = result;
  const link = workload.link.emulated
    ? `emulated link, round trip ${workload.link.rttMs} ms`
    : "loopback, nothing emulated";
  const columns = COLUMNS.map(({ head, cell }) => [
    head,
    ...summary.contenders.map((each) => cell(each, workload.baseline)),
  ]).filter(([, ...cells]) => cells.some((cell) => cell !== ""));
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const lines = columns[0]?.map((_, line) =>
    "  " +
    columns.map((cells, at) => at === 0 ? cells[line].padEnd(widths[at]) : cells[line].padStart(widths[at]))
      .join("  ")
  );
  const notes = [
    ...(result.cutShort === undefined ? [] : [`  ${result.cutShort}`]),
    ...summary.contenders.filter(({ stopped }) => stopped).map(({ contender }) =>
      `  ≥: ${contender} was stopped before its end`
    ),
    ...[...result.missing].map(([name, why]) => `  missing: ${name}: ${why}`),
    ...[...result.failed].map(([name, why]) => `  FAILED: ${name}: ${why}`),
    ...summary.promises.map(({ kept, text, source }) =>
      `  ${kept === undefined ? "?" : kept ? "kept" : "MISSED"}: ${text} [${source}]`
    ),
  ];
  return [`${workload.id}: ${workload.title} (${link})`, ...lines ?? [], ...notes, ""].join("\n");
}

function range({ min, max }: PairedRatio): string {
  return `${min.toFixed(2)} – ${max.toFixed(2)}`;
}

function figure(value: number | undefined, unit: string): string {
  return value === undefined ? "" : `${significant(value)} ${unit}`;
}

function significant(value: number): string {
  if (value === 0) return "0";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
