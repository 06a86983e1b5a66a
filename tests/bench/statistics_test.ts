import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { median, quantile } from "../../bench/method/statistics.ts";

Deno.test("median is the middle, or halfway between the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([7]), 7);
  assert(Number.isNaN(median([])));
});

Deno.test("quantile does not depend on the order, and grows with the share", () => {
  const numbers = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 });
  fc.assert(fc.property(numbers, fc.nat(100), fc.nat(100), (values, a, b) => {
    const [low, high] = [Math.min(a, b) / 100, Math.max(a, b) / 100];
    assert(quantile(values, low) <= quantile(values, high) + 1e-6);
    assertEquals(quantile(values, low), quantile(values.toReversed(), low));
    assertEquals([quantile(values, 0), quantile(values, 1)], [Math.min(...values), Math.max(...values)]);
  }));
});
