/**
 * `deno task bench:model [--rounds N]`: counts and measures the operations of the cost model, compares what it predicts with
 * what was measured, and writes the tables of bench/MODEL.md and the raw figures to bench/results/. Exit status 1 when a
 * prediction is off by more than a tenth, or an operation failed.
 */
import { parseArgs } from "../lib/deps/std_cli.ts";
import { LONG_RTT } from "./guard_count.ts";
import { CountedWorld } from "./guard_world.ts";
import { describeMachine } from "./method/machine.ts";
import { paragraph, writeBetween } from "./model_markers.ts";
import { measureConnection, measureModel, RTTS_MS } from "./model_measure.ts";
import { keeperFigures } from "./model_scale.ts";
import {
  comparisonTable,
  limitsText,
  machineText,
  operationTable,
  predictionsOff,
  scaleTable,
} from "./model_text.ts";

/** With what comes before and after the rounds it makes some five minutes. */
const BUDGET_MS = 200_000;

const RESULTS = new URL("results/", import.meta.url);

async function main(args: readonly string[]): Promise<number> {
  const given = parseArgs([...args], { string: ["rounds"] });
  const startedAt = new Date().toISOString();
  const machine = await describeMachine();
  await using world = await CountedWorld.start({ rttsMs: [...RTTS_MS, LONG_RTT] });
  const { lines, rounds, failed } = await measureModel(world, {
    rounds: Number(given.rounds ?? 5),
    budgetMs: BUDGET_MS,
    onProgress: (what) => console.error(what),
  });
  const connection = await measureConnection(world);
  const keeper = await keeperFigures(RESULTS);
  await Deno.mkdir(RESULTS, { recursive: true });
  const records = [
    { type: "run", startedAt, machine, arguments: args },
    ...lines.map((line) => ({ type: "model", ...line })),
    ...[...failed].map(([operation, why]) => ({ type: "model-failed", operation, why })),
    { type: "connection", ...connection },
  ];
  const path = new URL(`${startedAt.slice(0, 19).replace(/:/g, "-")}-model.jsonl`, RESULTS);
  await Deno.writeTextFile(path, records.map((record) => JSON.stringify(record) + "\n").join(""));
  await writeBetween(new URL("MODEL.md", import.meta.url), {
    machine: paragraph(machineText(startedAt, machine, rounds)),
    operations: operationTable(lines),
    comparison: comparisonTable(lines),
    scale: `${scaleTable(lines, connection, keeper)}\n\n${paragraph(limitsText(connection, keeper))}`,
  });
  console.log(comparisonTable(lines));
  const off = predictionsOff(lines);
  for (const each of off) console.log(`OFF BY MORE THAN A TENTH: ${each}`);
  for (const [operation, why] of failed) console.log(`FAILED: ${operation}: ${why}`);
  return off.length + failed.size > 0 ? 1 : 0;
}

Deno.exit(await main(Deno.args));
