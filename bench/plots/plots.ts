/**
 * `deno task bench:plots`: draws what bench/results/ holds, as bench/results/*.svg and, for the README, as
 * bench/plots/current/*.svg, writes README's section on what sharing saves, and the table of promises in bench/README.md.
 * What has no result is named.
 */
import { writeBetween } from "../model_markers.ts";
import { charts } from "./charts.ts";
import { drawInto } from "./draw.ts";
import { promiseTable } from "./promises.ts";
import { readmeSection } from "./readme.ts";
import { readResults } from "./results.ts";

const RESULTS = new URL("../results/", import.meta.url);
const CURRENT = new URL("current/", import.meta.url);
const README = new URL("../../README.md", import.meta.url);

const results = await readResults(RESULTS);
const all = charts(results);
for (const { name, spec } of all) {
  if (spec !== undefined) continue;
  await Deno.remove(new URL(`${name}.svg`, CURRENT)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
for (const directory of [RESULTS, CURRENT]) await drawInto(all, directory);
for (const { name, spec, missing } of all) {
  if (spec !== undefined) console.log(`bench/plots/current/${name}.svg`);
  for (const what of missing) console.log(`missing in ${name}: ${what}`);
}
await writeBetween(README, { "sharing": readmeSection(results, all) });
await writeBetween(new URL("../README.md", import.meta.url), { "promises": promiseTable(results) });
