import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fc } from "fast-check";
import { delays } from "../../lib/emulator/delays.ts";
import { seededRandom } from "../../lib/emulator/seeded_random.ts";

function draw(delay: (bytes: number) => number, count: number, bytes = 100): number[] {
  return Array.from({ length: count }, () => delay(bytes));
}

Deno.test("delays are half the round trip when nothing varies", () => {
  assertEquals(draw(delays({ rttMs: 50 }), 3), [25, 25, 25]);
});

Deno.test("delays lie between half the round trip and the jitter more", () => {
  fc.assert(fc.property(fc.nat(500), fc.nat(100), fc.integer(), (rttMs, jitterMs, seed) => {
    for (const delayMs of draw(delays({ rttMs, jitterMs, seed }), 50)) {
      assert(delayMs >= rttMs / 2 && delayMs <= rttMs / 2 + jitterMs);
    }
  }));
});

Deno.test("delays are the same for the same seed, and others for another", () => {
  const drawn = (seed: number) => draw(delays({ rttMs: 10, jitterMs: 10, loss: { rate: 0.1 }, seed }), 100);
  assertEquals(drawn(3), drawn(3));
  assertNotEquals(drawn(3), drawn(4));
});

Deno.test("delays stall for 200 ms and a round trip when a segment is lost, unless told otherwise", () => {
  assertEquals(draw(delays({ rttMs: 50, loss: { rate: 1 } }), 2), [275, 275]);
  assertEquals(draw(delays({ rttMs: 50, loss: { rate: 1, stallMs: 7 } }), 2), [32, 32]);
  assertEquals(draw(delays({ rttMs: 50, loss: { rate: 0 } }), 2), [25, 25]);
});

Deno.test("delays stall as often as segments are lost: a chunk of ten about ten times as often", () => {
  const stalls = (bytes: number) =>
    draw(delays({ rttMs: 0, loss: { rate: 0.01, stallMs: 1 } }), 20_000, bytes).filter((ms) => ms > 0).length;
  const [short, long] = [stalls(1000), stalls(14_480)];
  assert(short > 140 && short < 260, String(short)); // 200 expected
  assert(long > 1700 && long < 2130, String(long)); // 20,000 · (1 − 0.99¹⁰) = 1912
});

Deno.test("seeded random numbers lie in [0, 1) and are spread evenly, whatever the seed", () => {
  fc.assert(fc.property(fc.integer(), (seed) => {
    const random = seededRandom(seed);
    const buckets = new Array(10).fill(0);
    for (let i = 0; i < 5000; i++) buckets[Math.floor(random() * 10)]++;
    assert(buckets.every((count) => count > 350 && count < 650), `${seed}: ${buckets}`);
  }));
});
