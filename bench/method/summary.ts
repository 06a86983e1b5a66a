import type { RawResult } from "./rounds.ts";
import { median } from "./statistics.ts";
import type {
  Contender,
  FloorPromise,
  Measurement,
  PeakPromise,
  RatioPromise,
  Unit,
  ValuePromise,
  WorkloadPromise,
} from "./workload.ts";

/** A ratio between two contenders, taken round by round: what disturbed one round disturbed both. */
export interface PairedRatio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Rounds in which both were measured. */
  readonly pairs: number;
}

export interface ContenderSummary {
  readonly contender: string;
  readonly unit: Unit;
  readonly floor: boolean;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
  readonly medianClientCpuMs: number | undefined;
  readonly medianServerCpuMs: number | undefined;
  readonly medianPeakMB: number | undefined;
  /** Some round was stopped before its end: the figures are less than what it takes. */
  readonly stopped: boolean;
  /** Against the workload's baseline; undefined where units differ or the baseline was not measured. */
  readonly ratio: PairedRatio | undefined;
}

export interface PromiseSummary {
  readonly contender: string;
  readonly source: string;
  /** `undefined`: not measured. */
  readonly kept: boolean | undefined;
  /** What was promised and what was found, in words with numbers. */
  readonly text: string;
  /** What was found: a median ratio, or a median value. */
  readonly found: number | undefined;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Summary {
  readonly contenders: readonly ContenderSummary[];
  readonly promises: readonly PromiseSummary[];
}

/** Medians and paired ratios of a workload's rounds. */
export function summarize(result: RawResult): Summary {
  const { workload } = result;
  const unitOf = (contender: Contender | undefined) => contender?.unit ?? "ms";
  const baseline = workload.contenders.find(({ name }) => name === workload.baseline);
  const contenders = workload.contenders.flatMap((contender): ContenderSummary[] => {
    const entries = result.rounds.filter((entry) => entry.contender === contender.name);
    if (entries.length === 0) return [];
    const values = entries.map(({ measurement }) => measurement.value);
    const medianOf = (of: (measurement: Measurement) => number | undefined) => {
      const known = entries.flatMap(({ measurement }) => of(measurement) ?? []);
      return known.length > 0 ? median(known) : undefined;
    };
    const comparable = unitOf(contender) === unitOf(baseline);
    return [{
      contender: contender.name,
      unit: unitOf(contender),
      floor: contender.floor ?? false,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      rounds: entries.length,
      medianClientCpuMs: medianOf(({ clientCpuMs }) => clientCpuMs),
      medianServerCpuMs: medianOf(({ more }) =>
        typeof more?.serverCpuMs === "number" ? more.serverCpuMs : undefined
      ),
      medianPeakMB: medianOf(({ peakMB }) => peakMB),
      stopped: entries.some(({ measurement }) => measurement.stopped === true),
      ratio: comparable ? pairedRatio(result, contender.name, workload.baseline) : undefined,
    }];
  });
  const promises = (workload.promises ?? []).map((promise) => judge(result, contenders, promise));
  return { contenders, promises };
}

function judge(
  result: RawResult,
  contenders: readonly ContenderSummary[],
  promise: WorkloadPromise,
): PromiseSummary {
  if ("against" in promise) return ratioPromise(result, promise);
  return valuePromise(result, contenders, promise);
}

/** `contender` over `against`, round by round. */
export function pairedRatio(
  result: Pick<RawResult, "rounds">,
  contender: string,
  against: string,
  figure: "value" | "clientCpuMs" = "value",
): PairedRatio | undefined {
  const values = (name: string) =>
    new Map(
      result.rounds.filter((entry) => entry.contender === name)
        .flatMap(({ round, measurement }) => {
          const value = measurement[figure];
          return value === undefined ? [] : [[round, value] as const];
        }),
    );
  const below = values(against);
  const ratios = [...values(contender)].flatMap(([round, value]) => {
    const other = below.get(round);
    return other === undefined || other === 0 ? [] : [value / other];
  });
  if (ratios.length === 0) return undefined;
  return {
    median: median(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
    pairs: ratios.length,
  };
}

/** A contender that failed in some rounds has shown nothing by the others. */
function ratioPromise(result: RawResult, promise: RatioPromise): PromiseSummary {
  const { contender, against, atMost, source, figure } = promise;
  const broken = [contender, against].find((name) => result.failed.has(name));
  const ratio = pairedRatio(result, contender, against, figure);
  const what = figure === undefined ? "" : ", client CPU";
  const wanted = `${contender} at most ${atMost} × ${against}${what}`;
  if (!ratio) {
    return { contender, source, kept: undefined, text: `${wanted}: not measured`, found: undefined, atMost };
  }
  if (broken !== undefined) {
    const text = `${wanted}: not judged, because ${broken} failed after ${ratio.pairs} rounds`;
    return { contender, source, kept: undefined, text, found: undefined, atMost };
  }
  const found = `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`;
  return {
    contender,
    source,
    kept: ratio.median <= atMost,
    text: `${wanted}: ${found}`,
    found: ratio.median,
    atMost,
  };
}

function valuePromise(
  result: RawResult,
  contenders: readonly ContenderSummary[],
  promise: ValuePromise | FloorPromise | PeakPromise,
): PromiseSummary {
  const { contender, source } = promise;
  const summary = contenders.find((each) => each.contender === contender);
  const most = !("atLeastValue" in promise);
  const peak = "atMostPeakMB" in promise;
  const bound = "atLeastValue" in promise
    ? promise.atLeastValue
    : peak
    ? promise.atMostPeakMB
    : promise.atMostValue;
  const limit = most ? { atMost: bound } : { atLeast: bound };
  const unit = peak ? " MB of memory" : summary ? ` ${summary.unit}` : "";
  const wanted = `${contender} at ${most ? "most" : "least"} ${bound}${unit}`;
  const unjudged = (why: string): PromiseSummary => ({
    ...{ contender, source, kept: undefined, text: `${wanted}: ${why}`, found: undefined },
    ...limit,
  });
  if (!summary) return unjudged("not measured");
  if (result.failed.has(contender)) {
    return unjudged(`not judged, because it failed after ${summary.rounds} rounds`);
  }
  const found = peak ? summary.medianPeakMB : summary.median;
  if (found === undefined) return unjudged("not measured");
  const range = peak ? "" : ` (${summary.min.toFixed(3)} to ${summary.max.toFixed(3)})`;
  return {
    contender,
    source,
    kept: most ? found <= bound : found >= bound,
    text: `${wanted}: ${found.toFixed(3)}${range}`,
    found,
    ...limit,
  };
}
