import { assertEquals } from "@std/assert";
import { TurnCounter } from "../../lib/link/turns.ts";

/** Notes events such as `w0 r50` (written at 0 ms, something came in at 50) and counts between the marks. */
function count(events: string, rttMs: number): number {
  let now = 0;
  const turns = new TurnCounter(() => now);
  for (const [, kind, at] of events.matchAll(/([wr])(\d+)/g)) {
    now = Number(at);
    if (kind === "w") turns.wrote();
    else turns.read();
  }
  return turns.between(0, turns.mark, rttMs);
}

const cases: readonly (readonly [string, number, number])[] = [
  ["", 50, 0],
  ["w0 r50", 50, 1],
  ["w0 w1 w2 r52 r53", 50, 1],
  ["w0 r50 w50 r100 w101 r151", 50, 3],
  // What the server says of its own accord, too soon after a request to be its answer, is no round trip.
  ["r0 w0 r1 w1 r2", 50, 0],
  ["w0 r10 w10 r50 r60 w61 r111", 50, 2],
  // Without knowing what one takes, everything could be an answer.
  ["w0 r1 w2 r3", 0, 2],
  ["w0", 50, 0],
];
for (const [events, rttMs, roundTrips] of cases) {
  Deno.test(`turns: ${events || "nothing"} at ${rttMs} ms is ${roundTrips}`, () => {
    assertEquals(count(events, rttMs), roundTrips);
  });
}

Deno.test("turns are counted between marks alone", () => {
  let now = 0;
  const turns = new TurnCounter(() => now);
  turns.wrote();
  now = 50;
  turns.read();
  const mark = turns.mark;
  turns.wrote();
  now = 100;
  turns.read();
  assertEquals([turns.between(0, mark, 50), turns.between(mark, turns.mark, 50)], [1, 1]);
});
