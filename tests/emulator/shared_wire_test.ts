import { assert, assertEquals } from "@std/assert";
import { SharedWire } from "../../lib/emulator/shared_wire.ts";
import { FakeClock } from "./fake_clock.ts";

/** Somebody who always has more to send, and takes the next turn when the last one was admitted. */
function saturate(
  wire: SharedWire,
  clock: FakeClock,
  pieceBytes: number,
): { sentBytesBy(atMs: number): number } {
  const departures: number[] = [];
  const next = () =>
    wire.admit(pieceBytes, (departsAtMs) => {
      departures.push(departsAtMs);
      clock.setTimer(clock.now(), next);
    });
  next();
  return { sentBytesBy: (atMs) => departures.filter((departed) => departed <= atMs).length * pieceBytes };
}

Deno.test("wire lets bytes leave at its bandwidth when a stream saturates it", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock, bandwidthBytesPerSecond: 1_000_000, queueBytes: 10_000 });
  const stream = saturate(wire, clock, 1000);
  clock.advanceTo(2000);
  assertEquals(stream.sentBytesBy(1000), 1_000_000);
  assertEquals(stream.sentBytesBy(2000), 2_000_000);
});

Deno.test("wire is halved between two streams", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock, bandwidthBytesPerSecond: 1_000_000, queueBytes: 10_000 });
  const one = saturate(wire, clock, 1000);
  const two = saturate(wire, clock, 1000);
  clock.advanceTo(1000);
  assertEquals([one.sentBytesBy(1000), two.sentBytesBy(1000)], [500_000, 500_000]);
});

Deno.test("wire never holds more than its queue, and keeps the rest waiting", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock, bandwidthBytesPerSecond: 100_000, queueBytes: 5000 });
  const departures: number[] = [];
  for (let i = 0; i < 8; i++) wire.admit(1000, (departsAtMs) => departures.push(departsAtMs));
  assertEquals(departures, [10, 20, 30, 40, 50]);
  assertEquals(wire.queuedBytes, 5000);
  clock.advanceTo(9);
  assertEquals(departures.length, 5);
  clock.advanceTo(10);
  assertEquals(departures, [10, 20, 30, 40, 50, 60]);
  clock.advanceTo(30);
  assertEquals(departures.length, 8);
});

Deno.test("wire makes a short message wait behind what is queued: its own bytes and the queue's", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock, bandwidthBytesPerSecond: 100_000, queueBytes: 5000 });
  saturate(wire, clock, 1000);
  clock.advanceTo(1000);
  let departed = 0;
  wire.admit(100, (departsAtMs) => departed = departsAtMs);
  clock.advanceTo(2000);
  // One waiter in front of it, a full queue in front of both, and itself.
  assert(departed > 1000 + 50 && departed <= 1000 + 10 + 50 + 1, String(departed));
});

Deno.test("wire lets everything leave at once when it has no limit", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock });
  const departures: number[] = [];
  for (let i = 0; i < 3; i++) wire.admit(1_000_000, (departsAtMs) => departures.push(departsAtMs));
  assertEquals([departures, wire.queuedBytes], [[0, 0, 0], 0]);
});

Deno.test("wire takes a piece that is larger than its queue when it is empty", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock, bandwidthBytesPerSecond: 1_000_000, queueBytes: 100 });
  const departures: number[] = [];
  wire.admit(1000, (departsAtMs) => departures.push(departsAtMs));
  wire.admit(1000, (departsAtMs) => departures.push(departsAtMs));
  clock.advanceTo(10);
  assertEquals(departures, [1, 2]);
});

Deno.test("wire admits nobody while it is held, and in order afterwards", () => {
  const clock = new FakeClock();
  const wire = new SharedWire({ clock, bandwidthBytesPerSecond: 1_000_000, queueBytes: 1000 });
  wire.hold();
  const admitted: string[] = [];
  wire.admit(1000, () => admitted.push("a"));
  wire.admit(1000, () => admitted.push("b"));
  clock.advanceTo(100);
  assertEquals(admitted, []);
  wire.release();
  clock.advanceTo(200);
  assertEquals(admitted, ["a", "b"]);
  wire.admit(1000, () => admitted.push("c"));
  wire.stop();
  assertEquals(clock.pending, 0);
});
