import { pairedRatio } from "./summary.ts";
import type { RawResult } from "./rounds.ts";
import { median } from "./statistics.ts";

/**
 * What sharing saves, in one sentence: `shared` against `perCommand`, both ms per command. The share saved comes from
 * the paired ratio; the absolute figures beside it are medians.
 */
export function sharingSentence(result: RawResult, shared: string, perCommand: string): string {
  const ratio = pairedRatio(result, shared, perCommand);
  if (ratio === undefined) return `Not both measured: ${shared}; ${perCommand}.`;
  const value = (name: string) =>
    median(
      result.rounds.filter(({ contender }) => contender === name).map(({ measurement }) => measurement.value),
    );
  const times = (1 / ratio.median).toFixed(1);
  return `${shared}: ${times} times as fast as ${perCommand} ` +
    `(${value(shared).toFixed(1)} against ${value(perCommand).toFixed(1)} ms per command).`;
}
