import { assertEquals } from "@std/assert";
import { SECOND_CHANCE_MS, SparePool } from "../../lib/channel/spare_pool.ts";

function poolWithClock(forgives: boolean) {
  const clock = { ms: 0 };
  const opened: number[] = [];
  const pool = new SparePool<number>({
    open: () => opened.push(opened.length) - 1,
    close: () => {},
    hasRoom: () => true,
  }, { most: 4, forgives, now: () => clock.ms });
  return { clock, opened, pool };
}

Deno.test("spares that were refused rest, and are tried again, each time later, and at last no more", () => {
  const { clock, opened, pool } = poolWithClock(true);
  pool.refill();
  for (const waitMs of [1, 8, 64].map((times) => times * SECOND_CHANCE_MS)) {
    pool.refused(opened.at(-1)!);
    clock.ms += waitMs - 1;
    pool.refill();
    assertEquals(pool.count, 0);
    clock.ms += 1;
    pool.refill();
    assertEquals(pool.count, 1);
  }
  pool.refused(opened.at(-1)!);
  clock.ms += 1e9;
  pool.refill();
  assertEquals([pool.count, opened.length], [0, 4]);
});

Deno.test("a spare that the server closed counts as refused, one that was used does not", () => {
  const { opened, pool } = poolWithClock(true);
  pool.refill();
  pool.arrived(0);
  assertEquals(pool.take(), 0);
  pool.gone(0); // its command has ended
  pool.refill();
  assertEquals(opened.length, 2);
  pool.arrived(1);
  pool.gone(1);
  pool.refill();
  assertEquals([pool.count, opened.length], [0, 2]);
});

Deno.test("where a refusal must not be risked, the first spare that was refused is the last", () => {
  const { clock, opened, pool } = poolWithClock(false);
  pool.refill();
  pool.refused(0);
  clock.ms += 1e9;
  pool.refill();
  assertEquals(opened.length, 1);
});
