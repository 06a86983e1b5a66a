import type { Contender, Measurement, Workload } from "./workload.ts";

/** One contender's measurement in one round. */
export interface RoundEntry {
  /** From 1; warm-up rounds are not kept. */
  readonly round: number;
  /** Whose turn it was in the round, from 1. */
  readonly turn: number;
  readonly contender: string;
  readonly measurement: Measurement;
}

/** What a workload gave. */
export interface RawResult {
  readonly workload: Workload;
  readonly rounds: readonly RoundEntry[];
  /** Contenders that could not be measured, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
  /** Contenders that failed while being measured, with the message: their earlier rounds are kept. */
  readonly failed: ReadonlyMap<string, string>;
  /** Why there are fewer rounds than were asked for, if there are. */
  readonly cutShort?: string;
}

export interface RoundsOptions {
  /** Rounds that are kept. */
  readonly rounds: number;
  /** Once this long has passed no further round is begun; the first one always is. */
  readonly budgetMs?: number;
  /** Leaves the warm-up out. */
  readonly cold?: boolean;
  /** Called before each turn. */
  readonly onTurn?: (round: number, contender: string) => void;
}

/**
 * Runs a workload: a warm-up round, then `rounds` rounds in which every contender has one turn. The order turns round
 * with each round and starts one further with each second one, so that nobody always follows the same neighbour, whose
 * heat, caches and lingering processes would be counted as its own.
 */
export async function runRounds(workload: Workload, options: RoundsOptions): Promise<RawResult> {
  const missing = new Map<string, string>();
  const failed = new Map<string, string>();
  const rounds: RoundEntry[] = [];
  for (const { name, missing: why } of workload.contenders) if (why !== undefined) missing.set(name, why);
  const able = workload.contenders.filter(({ name }) => !missing.has(name));
  const warmUp = options.cold ? 0 : workload.warmUpRounds ?? 1;
  const until = performance.now() + (options.budgetMs ?? Infinity);
  let cutShort: string | undefined;
  for (let round = 1 - warmUp; round <= options.rounds; round++) {
    if (round > 1 && performance.now() > until) {
      cutShort = `${round - 1} of ${options.rounds} rounds: its time of ${
        options.budgetMs! / 1000
      } s was over`;
      break;
    }
    if (workload.together) {
      options.onTurn?.(round, "all");
      await measureTogether(workload.together, round, rounds, failed, able);
      if (failed.size > 0) break;
      continue;
    }
    let turn = 0;
    for (const contender of orderOf(able, round)) {
      if (failed.has(contender.name) || !hasTurn(contender, round)) continue;
      options.onTurn?.(round, contender.name);
      turn++;
      try {
        const measurement = await contender.measure!();
        if (round >= 1) rounds.push({ round, turn, contender: contender.name, measurement });
      } catch (error) {
        failed.set(contender.name, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return { workload, rounds, missing, failed, cutShort };
}

function hasTurn({ rounds }: Contender, round: number): boolean {
  return rounds === undefined || round >= 1 && round <= rounds;
}

async function measureTogether(
  together: NonNullable<Workload["together"]>,
  round: number,
  rounds: RoundEntry[],
  failed: Map<string, string>,
  contenders: readonly Contender[],
): Promise<void> {
  try {
    for (const [contender, measurement] of Object.entries(await together())) {
      if (round >= 1) rounds.push({ round, turn: 1, contender, measurement });
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    for (const { name } of contenders) failed.set(name, why);
  }
}

/** The order of turns in a round: rotated by one every second round, and reversed in every other. */
export function orderOf<T>(items: readonly T[], round: number): T[] {
  if (items.length === 0) return [];
  const shift = (((round >> 1) % items.length) + items.length) % items.length;
  const rotated = [...items.slice(shift), ...items.slice(0, shift)];
  return round % 2 === 0 ? rotated.reverse() : rotated;
}
