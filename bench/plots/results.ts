/** Result files of bench/results/, read back: for each workload the newest run that measured it. */

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
  /** Those that failed or could not be had, with that word: `rsync (missing)`. */
  readonly absent: readonly string[];
}

/** What `deno task bench:model` found about commands in a row. */
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
  // Their names begin with when they were begun, so the newest comes last.
  const texts = names.sort().map((name) => Deno.readTextFile(new URL(name, directory)));
  return resultsOf(await Promise.all(texts));
}

/** The same from the contents of result files, the oldest first. */
export function resultsOf(files: readonly string[]): Results {
  const workloads = new Map<string, WorkloadRecord>();
  let speedUps: SpeedUpRecord[] = [];
  for (const text of files) {
    const records: Line[] = text.split("\n").filter((line) => line.trim() !== "").map((line) =>
      JSON.parse(line)
    );
    const startedAt = records.find(({ type }) => type === "run")?.startedAt as string | undefined;
    for (const record of records) {
      if (record.type !== "workload") continue;
      const read = workloadOf(record, records, startedAt ?? "");
      if (read.medians.size > 0) workloads.set(read.id, read);
    }
    const found = records.filter(({ type }) => type === "speed-up");
    if (found.length > 0) speedUps = found as unknown as SpeedUpRecord[];
  }
  return {
    newest: (id) => workloads.get(id),
    workloads: [...workloads.keys()].sort(),
    speedUps,
  };
}

interface Line {
  readonly type: string;
  readonly [name: string]: unknown;
}

function workloadOf(record: Line, records: readonly Line[], startedAt: string): WorkloadRecord {
  const id = String(record.workload);
  const mine = records.filter(({ workload }) => workload === id);
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
    absent: mine.filter(({ type }) => type === "failed" || type === "missing")
      .map(({ type, contender }) => `${contender} (${type})`),
  };
}
