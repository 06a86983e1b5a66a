/** Result files of bench/results/, read back: for each workload the newest run that measured it. */

import { median } from "../method/statistics.ts";
import { PER_COMMAND, SHARED } from "../workloads/speed_up.ts";

/** One kept round of one contender. */
export interface RoundRecord {
  readonly contender: string;
  readonly round: number;
  readonly unit: string;
  readonly value: number;
  readonly more?: Readonly<Record<string, number | string>>;
}

/** One workload as one run found it. */
export interface WorkloadRecord {
  readonly id: string;
  readonly title: string;
  readonly link: { readonly rttMs: number; readonly emulated: boolean };
  /** When its run began. */
  readonly startedAt: string;
  readonly rounds: readonly RoundRecord[];
  /** Contender → median; none of those that failed. */
  readonly medians: ReadonlyMap<string, number>;
  /** Those that were stopped before their end: their medians are less than what they take. */
  readonly stopped: ReadonlySet<string>;
  readonly promises: readonly PromiseRecord[];
  /** Those that failed or could not be had, with that word: `rsync (missing)`. */
  readonly absent: readonly string[];
}

/** What was promised of a workload, and whether it was kept. */
export interface PromiseRecord {
  /** What was promised, and after a colon what was found. */
  readonly text: string;
  readonly source: string;
  /** Undefined: not measured, or not to be judged. */
  readonly kept?: boolean;
}

/** Commands in a row, as `speed-up-<round trip>` or `deno task bench:model` found them. */
export interface SpeedUpRecord {
  readonly rttMs: number;
  readonly commands: number;
  readonly sharedMs: number;
  readonly perCommandMs: number;
}

export interface Results {
  /** The workload as the newest run that has it found it. */
  newest(id: string): WorkloadRecord | undefined;
  /** Ids of all workloads, sorted. */
  readonly workloads: readonly string[];
  readonly speedUps: readonly SpeedUpRecord[];
}

/** Reads every `*.jsonl` of a directory; one that is not there holds nothing. */
export async function readResults(directory: URL): Promise<Results> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(directory)) if (name.endsWith(".jsonl")) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  // Their names begin with when they were begun, so the newest comes last. A quick look never hides a whole run.
  const isQuick = (name: string) => name.endsWith("-quick.jsonl");
  const ordered = names.toSorted((a, b) => Number(isQuick(b)) - Number(isQuick(a)) || (a < b ? -1 : 1));
  const texts = ordered.map((name) => Deno.readTextFile(new URL(name, directory)));
  return resultsOf(await Promise.all(texts));
}

/** The same from the contents of result files, the oldest first. */
export function resultsOf(files: readonly string[]): Results {
  const workloads = new Map<string, WorkloadRecord>();
  const speedUps = new Map<number, SpeedUpRecord[]>();
  for (const text of files) {
    const records: Line[] = text.split("\n").filter((line) => line.trim() !== "").map((line) =>
      JSON.parse(line)
    );
    const startedAt = records.find(({ type }) => type === "run")?.startedAt as string | undefined;
    for (const record of records) {
      if (record.type !== "workload") continue;
      const read = workloadOf(record, records, startedAt ?? "");
      if (read.medians.size === 0) continue;
      workloads.set(read.id, read);
      if (/^speed-up-\d+$/.test(read.id)) speedUps.set(read.link.rttMs, speedUpsOf(read));
    }
    const found = records.filter(({ type }) => type === "speed-up") as unknown as SpeedUpRecord[];
    for (const [rttMs, mine] of Map.groupBy(found, (each) => each.rttMs)) speedUps.set(rttMs, mine);
  }
  return {
    newest: (id) => workloads.get(id),
    workloads: [...workloads.keys()].sort(),
    speedUps: [...speedUps].toSorted(([a], [b]) => a - b).flatMap(([, found]) => found),
  };
}

/** When so many commands had ended stands with the raw rounds, as `at10`. */
function speedUpsOf({ link: { rttMs }, rounds }: WorkloadRecord): SpeedUpRecord[] {
  const at = (contender: string, count: string) =>
    median(rounds.flatMap((each) => each.contender === contender ? Number(each.more?.[count]) : []));
  const counts = Object.keys(rounds[0]?.more ?? {}).filter((name) => /^at\d+$/.test(name));
  return counts.map((count) => ({
    rttMs,
    commands: Number(count.slice(2)),
    sharedMs: at(SHARED, count),
    perCommandMs: at(PER_COMMAND, count),
  })).filter(({ sharedMs, perCommandMs }) => sharedMs > 0 && perCommandMs > 0);
}

interface Line {
  readonly type: string;
  readonly [name: string]: unknown;
}

function workloadOf(record: Line, records: readonly Line[], startedAt: string): WorkloadRecord {
  const id = String(record.workload);
  const mine = records.filter(({ workload }) => workload === id);
  const stopped = new Set(
    mine.filter((each) => each.type === "summary" && each.stopped === true).map(({ contender }) =>
      String(contender)
    ),
  );
  const failed = new Set(mine.filter(({ type }) => type === "failed").map(({ contender }) => contender));
  const medians = mine.filter(({ type, contender }) => type === "summary" && !failed.has(contender))
    .map(({ contender, median }) => [String(contender), Number(median)] as const);
  return {
    id,
    title: String(record.title),
    link: record.link as WorkloadRecord["link"],
    startedAt,
    rounds: mine.filter(({ type }) => type === "round") as unknown as RoundRecord[],
    medians: new Map(medians),
    stopped,
    promises: mine.filter(({ type }) => type === "promise") as unknown as PromiseRecord[],
    absent: mine.filter(({ type }) => type === "failed" || type === "missing")
      .map(({ type, contender }) => `${contender} (${type})`),
  };
}
