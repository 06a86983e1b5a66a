import { assertEquals } from "@std/assert";
import { RISE_AFTER_MS, SessionLimit } from "../../lib/channel/session_limit.ts";

function limitWithClock(most: number, rises?: boolean) {
  const clock = { ms: 0 };
  return { clock, limit: new SessionLimit(most, { rises, now: () => clock.ms }) };
}

Deno.test("a session limit is what was open when one more was refused", () => {
  const { limit } = limitWithClock(10);
  for (let count = 1; count <= 4; count++) limit.opened(count);
  limit.refused(4);
  assertEquals(limit.value, 4);
});

Deno.test("a session limit learns nothing from a refusal with none open, or with fewer than were open before", () => {
  const { limit } = limitWithClock(10);
  limit.refused(0);
  limit.opened(5);
  limit.refused(3);
  assertEquals(limit.value, 10);
});

Deno.test("a learned session limit is tried again by one, and twice as late after each refusal", () => {
  const { limit, clock } = limitWithClock(10);
  limit.opened(1);
  limit.refused(1);
  clock.ms = RISE_AFTER_MS - 1;
  assertEquals(limit.value, 1);
  clock.ms = RISE_AFTER_MS;
  assertEquals(limit.value, 2);
  limit.refused(1);
  clock.ms = 3 * RISE_AFTER_MS - 1;
  assertEquals(limit.value, 1);
  clock.ms = 3 * RISE_AFTER_MS;
  assertEquals(limit.value, 2);
});

Deno.test("a learned session limit that turns out too low rises as far as the server goes along", () => {
  const { limit, clock } = limitWithClock(4);
  limit.opened(1);
  limit.refused(1);
  clock.ms = RISE_AFTER_MS;
  for (let count = 2; count <= 4; count++) {
    assertEquals(limit.value, count);
    limit.opened(count);
  }
  assertEquals(limit.value, 4);
});

Deno.test("a session limit that must not be tried stays where it was learned", () => {
  const { limit, clock } = limitWithClock(10, false);
  limit.opened(3);
  limit.refused(3);
  clock.ms = 1000 * RISE_AFTER_MS;
  assertEquals(limit.value, 3);
});
