import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { ReceiveWindow } from "../../lib/channel/receive_window.ts";
import { RoundTrip } from "../../lib/channel/round_trip.ts";

const MIB = 1024 * 1024;

class Clock {
  nowMs = 0;
  readonly roundTrip = new RoundTrip(() => this.nowMs);
}

/** One round trip in which everything granted arrives and is read at once. */
function fullRound(window: ReceiveWindow, clock: Clock, rttMs: number): void {
  if (window.wantsProbe) window.probed();
  for (let left = window.outstanding; left > 0;) {
    const bytes = Math.min(left, 32 * 1024);
    left -= bytes;
    window.received(bytes);
    window.consumed(bytes);
    if (window.wantsProbe) window.probed();
  }
  clock.nowMs += rttMs;
  window.answered();
}

Deno.test("a window is given back in halves as long as nothing is known of the way", () => {
  const window = new ReceiveWindow(new Clock().roundTrip, 100);
  window.received(60);
  assertEquals([window.consumed(49), window.consumed(11)], [0, 60]);
  assertEquals([window.outstanding, window.unread], [100, 0]);
});

Deno.test("a short output is over before anything is asked", () => {
  const window = new ReceiveWindow(new Clock().roundTrip, 2 * MIB);
  window.received(100_000);
  assertEquals(window.wantsProbe, false);
  window.received(100_000);
  assertEquals(window.wantsProbe, true);
  window.probed();
  window.received(200_000);
  assertEquals(window.wantsProbe, false); // one at a time
});

Deno.test("a window grows while the reader keeps up and answers come as soon as ever, and has an end", () => {
  const clock = new Clock();
  const window = new ReceiveWindow(clock.roundTrip, 2 * MIB, 16 * MIB);
  const sizes = [window.bytes];
  for (let round = 0; round < 6; round++) {
    fullRound(window, clock, 200);
    sizes.push(window.bytes);
  }
  assertEquals(sizes.map((bytes) => bytes / MIB), [2, 4, 8, 16, 16, 16, 16]);
});

Deno.test("a window that nobody reads from is not granted again, and is small again when somebody does", () => {
  const clock = new Clock();
  const window = new ReceiveWindow(clock.roundTrip, 2 * MIB, 16 * MIB);
  for (let round = 0; round < 4; round++) fullRound(window, clock, 100);
  assertEquals(window.bytes, 16 * MIB);
  const granted = window.outstanding;
  window.received(granted);
  window.answered();
  assertEquals([window.outstanding, window.unread], [0, granted]);
  clock.nowMs += 60_000;
  for (let read = 0; read < granted - 2 * MIB; read += 65_536) {
    assertEquals(window.consumed(65_536), 0, `granted with ${window.unread} unread`);
  }
  assertEquals(window.bytes, 2 * MIB);
  while (window.unread > 0) window.consumed(Math.min(window.unread, 65_536));
  assert(window.outstanding > 0 && window.outstanding <= 2 * MIB);
});

Deno.test("what is under way and unread together never comes to more than the window, however slow the reader is", () => {
  const step = fc.record({
    arrives: fc.double({ min: 0, max: 1, noNaN: true }),
    reads: fc.double({ min: 0, max: 1, noNaN: true }),
    takesMs: fc.integer({ min: 0, max: 300 }),
    answered: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const clock = new Clock();
    const window = new ReceiveWindow(clock.roundTrip, MIB, 4 * MIB);
    let most = window.bytes;
    for (const { arrives, reads, takesMs, answered } of steps) {
      window.received(Math.floor(window.outstanding * arrives));
      if (window.wantsProbe) window.probed();
      clock.nowMs += takesMs;
      window.consumed(Math.floor(window.unread * reads));
      if (answered) window.answered();
      most = Math.max(most, window.bytes);
      assert(window.outstanding + window.unread <= most);
      assert(most <= 4 * MIB);
    }
    // And a sender is never left without a grant once everything has been read.
    window.consumed(window.unread);
    assert(window.outstanding > 0);
  }));
});

Deno.test("a window opened with nothing is granted when it is put to work", () => {
  const window = new ReceiveWindow(new Clock().roundTrip, 0);
  assertEquals([window.resize(2 * MIB), window.outstanding, window.bytes], [2 * MIB, 2 * MIB, 2 * MIB]);
});
