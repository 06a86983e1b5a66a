import type { RawResult } from "./rounds.ts";
import { median } from "./statistics.ts";
import type { Contender, RatioPromise, Unit, ValuePromise } from "./workload.ts";

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
  readonly atMost: number;
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
    const cpu = entries.flatMap(({ measurement }) => measurement.clientCpuMs ?? []);
    const comparable = unitOf(contender) === unitOf(baseline);
    return [{
      contender: contender.name,
      unit: unitOf(contender),
      floor: contender.floor ?? false,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      rounds: entries.length,
      medianClientCpuMs: cpu.length > 0 ? median(cpu) : undefined,
      ratio: comparable ? pairedRatio(result, contender.name, workload.baseline) : undefined,
    }];
  });
  const promises = (workload.promises ?? []).map((promise) =>
    "against" in promise ? ratioPromise(result, promise) : valuePromise(contenders, promise)
  );
  return { contenders, promises };
}

/** `contender` over `against`, round by round. */
export function pairedRatio(
  result: Pick<RawResult, "rounds">,
  contender: string,
  against: string,
): PairedRatio | undefined {
  const values = (name: string) =>
    new Map(
      result.rounds.filter((entry) => entry.contender === name)
        .map(({ round, measurement }) => [round, measurement.value]),
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
  const { contender, against, atMost, source } = promise;
  const broken = [contender, against].find((name) => result.failed.has(name));
  const ratio = pairedRatio(result, contender, against);
  const wanted = `${contender} at most ${atMost} × ${against}`;
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

function valuePromise(contenders: readonly ContenderSummary[], promise: ValuePromise): PromiseSummary {
  const { contender, atMostValue: atMost, source } = promise;
  const summary = contenders.find((each) => each.contender === contender);
  const wanted = `${contender} at most ${atMost}${summary ? ` ${summary.unit}` : ""}`;
  if (!summary) {
    return { contender, source, kept: undefined, text: `${wanted}: not measured`, found: undefined, atMost };
  }
  return {
    contender,
    source,
    kept: summary.median <= atMost,
    text: `${wanted}: ${summary.median.toFixed(3)} (${summary.min.toFixed(3)} to ${summary.max.toFixed(3)})`,
    found: summary.median,
    atMost,
  };
}
