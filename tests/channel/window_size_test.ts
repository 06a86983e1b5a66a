import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { RoundTrip } from "../../lib/channel/round_trip.ts";
import { MIN_WINDOW_BYTES, WindowSize } from "../../lib/channel/window_size.ts";

const MAX = 64 * 1024 * 1024;

/** A way with a narrowest part: what is under way beyond its pipe stands in a queue. */
class Way {
  nowMs = 0;
  readonly roundTrip = new RoundTrip(() => this.nowMs);

  constructor(readonly bytesPerMs: number, public baseMs: number) {}

  /** One round with the whole window under way; `lateMs` is what chance adds. */
  round(size: WindowSize, lateMs = 0): number {
    const bytes = size.bytes;
    const rttMs = Math.max(this.baseMs, bytes / this.bytesPerMs) + lateMs;
    this.nowMs += rttMs;
    size.round({ rttMs, bytes, ms: rttMs, limited: true });
    return rttMs;
  }

  get pipeBytes(): number {
    return this.bytesPerMs * this.baseMs;
  }
}

Deno.test("a window comes to hold the pipe and little more, whatever the rate and the round trip are", () => {
  const rate = fc.double({ min: 100, max: 100_000, noNaN: true }); // 0.1 to 100 MB/s
  fc.assert(fc.property(rate, fc.double({ min: 5, max: 300, noNaN: true }), (bytesPerMs, baseMs) => {
    const way = new Way(bytesPerMs, baseMs);
    way.roundTrip.seen(baseMs);
    const size = new WindowSize(way.roundTrip, 2 * 1024 * 1024, MAX);
    for (let round = 0; round < 40; round++) way.round(size);
    for (let round = 0; round < 3 && size.draining; round++) way.round(size);
    if (way.pipeBytes < 2 * MIN_WINDOW_BYTES) return assert(size.bytes <= 8 * MIN_WINDOW_BYTES);
    assert(size.bytes >= 0.98 * way.pipeBytes, `${size.bytes} bytes do not fill ${way.pipeBytes}`);
    const queueMs = (size.bytes - 2 * 32_768) / bytesPerMs - baseMs; // a packet, and as much for the step
    assert(queueMs <= Math.max(4, baseMs * 0.1) * 2.01, `a queue of ${queueMs} ms at ${baseMs} ms`);
  }));
});

Deno.test("a window doubles each round until a queue shows", () => {
  const way = new Way(125_000, 200); // 1 Gbit/s far away: 25 MB
  way.roundTrip.seen(200);
  const size = new WindowSize(way.roundTrip, 2 * 1024 * 1024, MAX);
  for (let round = 0; round < 4; round++) way.round(size);
  assertEquals(size.bytes, 32 * 1024 * 1024);
  for (let round = 0; round < 3; round++) way.round(size);
  assert(size.bytes < 1.11 * way.pipeBytes && size.bytes >= way.pipeBytes);
});

Deno.test("round trips that are long by chance do not make a window small", () => {
  const way = new Way(12_500, 50);
  way.roundTrip.seen(50);
  const size = new WindowSize(way.roundTrip, 2 * 1024 * 1024, MAX);
  for (let round = 0; round < 200; round++) way.round(size, round % 4 === 0 ? 1 : 10 + (round * 7) % 30);
  assert(size.bytes >= 0.95 * way.pipeBytes, `${size.bytes} of ${way.pipeBytes}`);
});

Deno.test("a machine that answers late all the time does not starve its windows", () => {
  const way = new Way(12_500, 50);
  way.roundTrip.seen(50);
  const size = new WindowSize(way.roundTrip, 2 * 1024 * 1024, MAX);
  for (let round = 0; round < 30; round++) way.round(size);
  for (let round = 0; round < 60; round++) way.round(size, 40 + (round * 7) % 30);
  assert(size.bytes >= 0.9 * way.pipeBytes, `${size.bytes} of ${way.pipeBytes}`);
});

Deno.test("a round in which the sender had nothing to send leaves the window alone", () => {
  const way = new Way(12_500, 50);
  const size = new WindowSize(way.roundTrip, 1_000_000, MAX);
  size.round({ rttMs: 500, bytes: 1000, ms: 500, limited: false });
  assertEquals(size.bytes, 1_000_000);
});

Deno.test("a way that has become longer is looked at anew, with half a window, instead of starving on it", () => {
  const way = new Way(12_500, 20);
  way.roundTrip.seen(20);
  const size = new WindowSize(way.roundTrip, 2 * 1024 * 1024, MAX);
  for (let round = 0; round < 100; round++) way.round(size);
  way.baseMs = 100;
  let drained = false;
  for (let round = 0; round < 400; round++) {
    const before = size.bytes;
    way.round(size);
    drained ||= size.bytes <= before / 1.9;
  }
  assert(drained);
  assertEquals(Math.round(way.roundTrip.minMs!), 100);
  assert(size.bytes >= way.pipeBytes, `${size.bytes} of ${way.pipeBytes}`);
});

Deno.test("a window is a whole number of bytes, whatever has happened to it", () => {
  const way = new Way(12_345, 21.7);
  way.roundTrip.seen(21.7);
  const size = new WindowSize(way.roundTrip, 2 * 1024 * 1024 + 1, MAX);
  let drained = false;
  for (let round = 0; round < 2000; round++) {
    way.round(size, (round * 7) % 5);
    drained ||= size.draining;
    assert(Number.isInteger(size.bytes), `${size.bytes}`);
  }
  assert(drained);
});
