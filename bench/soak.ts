/**
 * 10,000 execs on one connection, private and through the keeper: `deno task bench:soak [count]`. Memory must not grow
 * with the number of commands, and no channel may be left open. Exit status 1 when either happens.
 */
import { describeMachine } from "./method/machine.ts";
import { processUse } from "./world/programs.ts";
import { World } from "./world/world.ts";

/** How much more the process may hold at the end than after the first tenth: what V8 has not collected yet. */
const FLAT = 1.15;

async function main(args: readonly string[]): Promise<number> {
  const count = Number(args[0] ?? 10_000);
  const marks = [count / 10, count].map(Math.round);
  const startedAt = new Date().toISOString();
  const records: object[] = [{ type: "run", startedAt, machine: await describeMachine(), arguments: args }];
  await using world = await World.start();
  let good = true;
  for (const share of [false, true]) {
    const name = share ? "riding the keeper" : "private connection";
    const keeper = share ? await world.keeperWith("rtt0") : undefined;
    const first = share ? marks[0] : 0;
    const soak = (upTo: readonly number[]) =>
      world.contender("soak.ts", { host: "rtt0", share, marks: upTo, warmUp: 0, count: 0 });
    // The keeper is looked at after a process that ran a tenth, and again after one that ran the rest.
    if (first > 0) await soak([first]);
    const keeperAt = keeper === undefined ? undefined : await processUse(keeper);
    const { value, more = {} } = await soak(marks);
    const keeperAfter = keeper === undefined ? undefined : await processUse(keeper);
    const figures = { ...more, ...keeperFigures(marks, keeperAt?.rssMB, keeperAfter?.rssMB) };
    const [early, late] = marks.map((mark) => Number(more[`rssMB@${mark}`]));
    const [keeperEarly, keeperLate] = [keeperAt?.rssMB ?? 1, keeperAfter?.rssMB ?? 1];
    const flat = late <= early * FLAT && keeperLate <= keeperEarly * FLAT && more.channelsLeftOpen === 0;
    good &&= flat;
    records.push({ type: "soak", name, count, msPerExec: value, flat, ...figures });
    console.log(`${name}: ${count} execs: ${flat ? "flat" : "NOT FLAT"}`);
    console.log(
      `  RSS at ${marks[1]} / at ${marks[0]}: ${(late / early).toFixed(2)} (${late.toFixed(1)} MB)`,
    );
    const [heapEarly, heapLate] = marks.map((mark) => Number(more[`heapMB@${mark}`]));
    console.log(
      `  reachable heap, the same: ${(heapLate / heapEarly).toFixed(2)} (${heapLate.toFixed(1)} MB)`,
    );
    if (share) {
      const ratio = (keeperLate / keeperEarly).toFixed(2);
      console.log(`  keeper's RSS, the same: ${ratio} (${keeperLate.toFixed(1)} MB)`);
    }
    console.log(`  channels left open: ${more.channelsLeftOpen}`);
  }
  const directory = new URL("results/", import.meta.url).pathname;
  await Deno.mkdir(directory, { recursive: true });
  const path = `${directory}${startedAt.slice(0, 19).replace(/:/g, "-")}-soak.jsonl`;
  await Deno.writeTextFile(path, records.map((record) => JSON.stringify(record) + "\n").join(""));
  console.log(`Raw figures: ${path}`);
  return good ? 0 : 1;
}

function keeperFigures(marks: readonly number[], early?: number, late?: number): Record<string, number> {
  if (early === undefined || late === undefined) return {};
  return { [`keeperRssMB@${marks[0]}`]: early, [`keeperRssMB@${marks[1]}`]: late };
}

Deno.exit(await main(Deno.args));
