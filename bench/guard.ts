/**
 * `deno task bench:guard [--update [--accept NAME]…]`: counted figures, which do not depend on the machine's speed, against
 * bench/baseline.json. Exit status 1 when one got worse. `--update` takes what got better into the baseline, and what
 * got worse only where `--accept` names it.
 */
import { parseArgs } from "../lib/deps/std_cli.ts";
import {
  type Baseline,
  compare,
  type Comparison,
  describe,
  type Figure,
  passes,
  updated,
} from "./guard_compare.ts";
import { allocations, connections, flights, LONG_RTT, messages, modules, SHORT_RTT } from "./guard_count.ts";
import { CountedWorld } from "./guard_world.ts";

const BASELINE = new URL("baseline.json", import.meta.url);

async function main(args: readonly string[]): Promise<number> {
  const options = parseArgs([...args], { boolean: ["update"], string: ["accept"], collect: ["accept"] });
  const startedAt = performance.now();
  const baseline = await readBaseline();
  const figures: Figure[] = [];
  {
    await using world = await CountedWorld.start({ rttsMs: [SHORT_RTT, LONG_RTT] });
    for (const part of [flights, messages, connections, modules, allocations]) {
      figures.push(...await part(world, baseline));
    }
  }
  const comparisons = compare(figures, baseline);
  for (const each of comparisons) console.log(`${mark(each)} ${describe(each)}`);
  const failed = comparisons.filter((each) => !passes(each));
  if (options.update === true) {
    const accepted = new Set(options.accept as string[] | undefined);
    await Deno.writeTextFile(BASELINE, JSON.stringify(updated(comparisons, accepted), null, 2) + "\n");
    const left = failed.filter(({ name, verdict }) => verdict === "worse" && !accepted.has(name));
    console.log(`Written: bench/baseline.json${left.length > 0 ? "; what is worse stays as it was" : ""}`);
    return left.length > 0 ? 1 : 0;
  }
  const better = comparisons.filter(({ verdict }) => verdict === "better");
  if (better.length > 0) console.log("Something is better: deno task bench:guard --update keeps it so.");
  if (failed.length > 0) {
    console.log(
      "Make it good again, or: deno task bench:guard --update --accept NAME, and say in the commit why.",
    );
  }
  // As `deno test` tells it, because .ci/run counts it so.
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const verdict = failed.length === 0 ? "ok" : "FAILED";
  console.log(
    `${verdict} | ${comparisons.length - failed.length} passed | ${failed.length} failed (${seconds}s)`,
  );
  return failed.length === 0 ? 0 : 1;
}

function mark({ verdict }: Comparison): string {
  return { same: "  ", better: "+ ", worse: "WORSE ", new: "NEW ", gone: "GONE " }[verdict];
}

async function readBaseline(): Promise<Baseline> {
  try {
    return JSON.parse(await Deno.readTextFile(BASELINE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { figures: {} };
    throw error;
  }
}

Deno.exit(await main(Deno.args));
