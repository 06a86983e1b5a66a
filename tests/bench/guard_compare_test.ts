import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Baseline, compare, describe, type Figure, passes, updated } from "../../bench/guard_compare.ts";

const figure = (name: string, value: number, tolerance?: number): Figure => ({
  name,
  value,
  unit: "round trips",
  tolerance,
});
const baseline = (values: Record<string, number>): Baseline => ({
  figures: Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { value, unit: "round trips" }]),
  ),
});

Deno.test("the guard fails for one round trip more, and says which figure and by how much", () => {
  const [worse, same] = compare([figure("exec", 3), figure("login", 6)], baseline({ exec: 2, login: 6 }));
  assertEquals([passes(worse), passes(same)], [false, true]);
  assertEquals(describe(worse), "exec: 3 round trips, worse than 2 by 1 (+50 %)");
});

Deno.test("the guard fails when a figure leaves nothing, as from zero connections to one", () => {
  const [worse] = compare([figure("again", 1)], baseline({ again: 0 }));
  assertEquals([worse.verdict, passes(worse)], ["worse", false]);
  assertEquals(describe(worse), "again: 1 round trips, worse than 0 by 1");
});

Deno.test("the guard takes a figure within its tolerance for the same, in both directions", () => {
  const verdicts = [109, 111, 91, 89].map((value) =>
    compare([figure("heap", value, 0.1)], baseline({ heap: 100 }))[0].verdict
  );
  assertEquals(verdicts, ["same", "worse", "same", "better"]);
});

Deno.test("the guard fails for a figure that it does not know, and for one that is counted no more", () => {
  const [fresh, gone] = compare([figure("new one", 1)], baseline({ "old one": 1 }));
  assertEquals([fresh.verdict, passes(fresh), gone.verdict, passes(gone)], ["new", false, "gone", false]);
  assertStringIncludes(describe(gone), "old one");
});

Deno.test("an update takes what is better and new, leaves what is worse, and drops what is gone", () => {
  const comparisons = compare(
    [figure("better", 1), figure("worse", 9), figure("new", 5), figure("same", 4)],
    baseline({ better: 2, worse: 8, gone: 1, same: 4 }),
  );
  const values = (accepted?: Set<string>) =>
    Object.fromEntries(
      Object.entries(updated(comparisons, accepted).figures).map(([name, { value }]) => [name, value]),
    );
  assertEquals(values(), { better: 1, new: 5, same: 4, worse: 8 });
  assertEquals(values(new Set(["worse"])), { better: 1, new: 5, same: 4, worse: 9 });
});

Deno.test("an update within the tolerance does not creep", () => {
  const comparisons = compare([figure("heap", 104, 0.1)], baseline({ heap: 100 }));
  assertEquals(updated(comparisons).figures.heap.value, 100);
});
