/** The tables of bench/MODEL.md. */
import type { Machine } from "./method/machine.ts";
import { markdownTable } from "./model_markers.ts";
import type { ConnectionCost, ModelLine } from "./model_measure.ts";
import type { KeeperFigures } from "./model_scale.ts";

/** How far a prediction may be off, as a share of what was measured. */
export const WITHIN = 0.1;

export function machineText(startedAt: string, machine: Machine, rounds: number): string {
  const { cores, cpu, deno, loadAverage } = machine;
  return `${startedAt.slice(0, 10)}, ${cores} cores (${cpu}), Deno ${deno}, load ${
    loadAverage[0]
  } before the start; ` +
    `the least of ${rounds} rounds.`;
}

export function operationTable(lines: readonly ModelLine[]): string {
  return markdownTable([
    ["operation", "round trips", "bytes up", "bytes down", "local ms"],
    ...lines.map((line) => [
      line.title,
      String(line.roundTrips),
      thousands(line.bytesUp),
      thousands(line.bytesDown),
      line.localMs.toFixed(1),
    ]),
  ]);
}

/** Predicted / measured in ms, for every round trip longer than the one that the local time was taken at. */
export function comparisonTable(lines: readonly ModelLine[]): string {
  const rtts = lines[0].points.map(({ rttMs }) => rttMs);
  return markdownTable([
    ["predicted / measured ms, off by", ...rtts.map((rttMs) => `RTT ${rttMs}`)],
    ...lines.map(({ title, points, localAtRttMs }) => [
      title,
      ...points.map((point) =>
        point.rttMs === localAtRttMs
          ? `${point.measuredMs.toFixed(1)} (taken)`
          : point.rttMs < localAtRttMs
          ? point.measuredMs.toFixed(1)
          : `${point.predictedMs.toFixed(0)} / ${point.measuredMs.toFixed(0)}, ${percent(offBy(point))}`
      ),
    ]),
  ]);
}

/** The predictions that are off by more than {@linkcode WITHIN}, in words. */
export function predictionsOff(lines: readonly ModelLine[]): string[] {
  return lines.flatMap(({ title, points, localAtRttMs }) =>
    points.filter((point) => point.rttMs > localAtRttMs && Math.abs(offBy(point)) > WITHIN)
      .map((point) => `${title}, RTT ${point.rttMs}: ${percent(offBy(point))}`)
  );
}

function offBy({ predictedMs, measuredMs }: { predictedMs: number; measuredMs: number }): number {
  return predictedMs / measuredMs - 1;
}

function percent(share: number): string {
  return `${share > 0 ? "+" : ""}${(share * 100).toFixed(0)} %`;
}

/** TCP and IPv4 headers with timestamps, of a question, its answer and the acknowledgement that ends it. */
const HEADER_BYTES = 3 * 52;

/** A keeper asks each idle host for a sign of life so often where ssh_config says nothing. */
const KEEPALIVE_SECONDS = 60;

/** What the figures for one host come to for many; what was not measured at that size is said to be computed. */
export function scaleTable(
  lines: readonly ModelLine[],
  { loginCpuMs, keepaliveBytesUp, keepaliveBytesDown }: ConnectionCost,
  keeper: KeeperFigures,
): string {
  const sizes = [10, 1000, 100_000];
  const missing = "no result";
  const each = (name: string, of: (hosts: number) => string | undefined) => [
    name,
    ...sizes.map((hosts) => of(hosts) ?? missing),
  ];
  const login = lines.find(({ id }) => id === "login");
  const { firstMB, furtherMB, idlePercent, execCpuMs } = keeper;
  const keepaliveBytes = keepaliveBytesUp + keepaliveBytesDown + HEADER_BYTES;
  return markdownTable([
    ["one keeper, one connection per host", ...sizes.map((hosts) => `${thousands(hosts)} hosts`)],
    each("connections, file descriptors (2 each)", (hosts) => `${thousands(hosts)}, ${thousands(2 * hosts)}`),
    each(
      "memory of the keeper",
      (hosts) =>
        firstMB === undefined || furtherMB === undefined
          ? undefined
          : megabytes(firstMB + (hosts - 1) * furtherMB),
    ),
    each("CPU of logging in to all, once", (hosts) => seconds(hosts * loginCpuMs / 1000)),
    each(
      "bytes of logging in to all",
      (hosts) => login && megabytes(hosts * (login.bytesUp + login.bytesDown) / 1e6),
    ),
    each(
      "CPU of keeping all warm, of a core",
      (hosts) => idlePercent === undefined ? undefined : `${significant(hosts * idlePercent)} %`,
    ),
    each(
      "keepalives, with headers",
      (hosts) => `${significant(hosts * keepaliveBytes * 8 / KEEPALIVE_SECONDS / 1000)} kbit/s`,
    ),
    each(
      "one warm exec on each: CPU of the keeper",
      (hosts) => execCpuMs === undefined ? undefined : seconds(hosts * execCpuMs / 1000),
    ),
  ]);
}

/** Where one keeper ends, which is one event loop on one core, by the same figures. */
export function limitsText({ loginCpuMs }: ConnectionCost, keeper: KeeperFigures): string {
  const { furtherMB, idlePercent, execCpuMs } = keeper;
  const limits = [
    `${significant(1000 / loginCpuMs)} logins a second`,
    execCpuMs === undefined ? undefined : `${significant(1000 / execCpuMs)} commands a second`,
    furtherMB === undefined ? undefined : `${thousands(1000 / furtherMB)} hosts for each GB of memory`,
    idlePercent === undefined ? undefined : `${thousands(100 / idlePercent)} idle hosts for a whole core`,
  ];
  return `One keeper is one event loop, so at most one core: by these figures ${
    limits.filter((limit) => limit !== undefined).join(", ")
  }.`;
}

function megabytes(value: number): string {
  return value >= 1000 ? `${significant(value / 1000)} GB` : `${significant(value)} MB`;
}

function seconds(value: number): string {
  return value >= 120 ? `${significant(value / 60)} min` : `${significant(value)} s`;
}

function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}

function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}
