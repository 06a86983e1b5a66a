import { assert, assertEquals } from "@std/assert";
import { TOUR } from "../../bench/tour.ts";
import { run } from "../support/run.ts";

/** The tour, the model and the plots are to fit into half an hour and a little. */
const TOUR_MINUTES = 30;

Deno.test("each stop of the tour is a workload of the benchmark, and its time is bounded", async () => {
  const root = new URL("../../", import.meta.url).pathname;
  const { stdout, success } = await run(Deno.execPath(), [
    ...["run", "--no-prompt", "--allow-all", `${root}bench/run.ts`, "--list"],
  ]);
  assert(success);
  const workloads = new Set(stdout.split("\n"));
  const stops = Object.values(TOUR).flat();
  for (const { id } of stops) assert(workloads.has(id), id);
  assertEquals(new Set(stops.map(({ id }) => id)).size, stops.length);
  const seconds = stops.reduce((sum, { budgetSeconds }) => sum + budgetSeconds, 0);
  assert(seconds <= TOUR_MINUTES * 60, `${seconds} s`);
});
