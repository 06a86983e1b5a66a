import type { Machine } from "./machine.ts";
import type { RawResult } from "./rounds.ts";
import type { Summary } from "./summary.ts";

/** What the first line of a result file holds. */
export interface RunRecord {
  readonly startedAt: string;
  readonly machine: Machine;
  /** Program → version. */
  readonly versions: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
}

/** A result file of JSON lines: the run first, then each workload's raw rounds and their summary, as they come. */
export class ResultFile {
  readonly path: string;

  /** The file is made with the first line. */
  constructor(directory: string, name: string) {
    this.path = `${directory}/${name}.jsonl`;
  }

  async run(record: RunRecord): Promise<void> {
    await Deno.mkdir(this.path.replace(/\/[^/]*$/, ""), { recursive: true });
    await this.#append([{ type: "run", ...record }]);
  }

  async workload(
    { workload, rounds, missing, failed, cutShort }: RawResult,
    summary: Summary,
  ): Promise<void> {
    const { id, title, link, baseline } = workload;
    const units = new Map(workload.contenders.map(({ name, unit }) => [name, unit ?? "ms"]));
    await this.#append([
      { type: "workload", workload: id, title, link, baseline, cutShort },
      ...rounds.map(({ round, turn, contender, measurement }) => ({
        type: "round",
        workload: id,
        contender,
        round,
        turn,
        unit: units.get(contender),
        ...measurement,
      })),
      ...[...missing].map(([contender, why]) => ({ type: "missing", workload: id, contender, why })),
      ...[...failed].map(([contender, why]) => ({ type: "failed", workload: id, contender, why })),
      ...summary.contenders.map((each) => ({ type: "summary", workload: id, ...each })),
      ...summary.promises.map((each) => ({ type: "promise", workload: id, ...each })),
    ]);
  }

  async #append(records: readonly object[]): Promise<void> {
    const lines = records.map((record) => JSON.stringify(record) + "\n").join("");
    await Deno.writeTextFile(this.path, lines, { append: true });
  }
}
