import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { DelayLine, type DelayLineOptions } from "../../lib/emulator/delay_line.ts";
import { SharedWire } from "../../lib/emulator/shared_wire.ts";
import { FakeClock } from "./fake_clock.ts";

const noMore = () => {};

function line<Item>(
  clock: FakeClock,
  deliver: (item: Item, atMs: number) => void,
  options: Partial<DelayLineOptions<Item>> = {},
): DelayLine<Item> {
  return new DelayLine<Item>({
    clock,
    wire: new SharedWire({ clock }),
    delayMs: () => 25,
    windowBytes: Infinity,
    deliver(item) {
      deliver(item, clock.now());
    },
    ...options,
  });
}

Deno.test("delay line delivers each item one delay after it was pushed, many under way at once", () => {
  const clock = new FakeClock();
  const arrived: [number, number][] = [];
  const delayed = line<number>(clock, (item, atMs) => arrived.push([item, atMs]));
  for (const atMs of [0, 1, 2, 30]) {
    clock.advanceTo(atMs);
    delayed.push(atMs, 100, noMore);
  }
  clock.advanceTo(100);
  assertEquals(arrived, [[0, 25], [1, 26], [2, 27], [30, 55]]);
  assertEquals(clock.pending, 0);
});

Deno.test("delay line keeps the order when delays vary", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ gapMs: fc.nat(20), delayMs: fc.nat(100) }), { minLength: 1, maxLength: 40 }),
    (items) => {
      const clock = new FakeClock();
      const arrived: number[] = [];
      const times: number[] = [];
      const delays = items.map((item) => item.delayMs);
      const delayed = line<number>(clock, (item, atMs) => {
        arrived.push(item);
        times.push(atMs);
      }, { delayMs: () => delays.shift()! });
      const sentAt: number[] = [];
      items.forEach((item, index) => {
        clock.advanceTo(clock.now() + item.gapMs);
        sentAt.push(clock.now());
        delayed.push(index, 1, noMore);
      });
      clock.advanceTo(1e6);
      assertEquals(arrived, items.map((_, index) => index));
      // Never before its own delay, and exactly at it unless something in front was later.
      let latest = 0;
      items.forEach((item, index) => {
        latest = Math.max(latest, sentAt[index] + item.delayMs);
        assertEquals(times[index], latest);
      });
    },
  ));
});

Deno.test("delay line delivers nothing before the handshake is through", () => {
  const clock = new FakeClock();
  const arrived: number[] = [];
  const delayed = line<string>(clock, (_, atMs) => arrived.push(atMs), { notBeforeMs: 75 });
  delayed.push("early", 1, noMore);
  clock.advanceTo(60);
  delayed.push("late", 1, noMore);
  clock.advanceTo(200);
  assertEquals(arrived, [75, 85]);
});

Deno.test("delay line makes the sender wait while its window is full", () => {
  const clock = new FakeClock();
  const delayed = line<string>(clock, () => {}, { windowBytes: 100 });
  let more = 0;
  delayed.push("a", 60, () => more++);
  assertEquals(more, 1);
  delayed.push("b", 60, () => more++);
  assertEquals([more, delayed.underWayBytes], [1, 120]);
  clock.advanceTo(25);
  assertEquals([more, delayed.underWayBytes], [2, 0]);
});

Deno.test("delay line holds back what follows while a receiver is busy", async () => {
  const clock = new FakeClock();
  const arrived: string[] = [];
  const busy = Promise.withResolvers<void>();
  const delayed = line<string>(clock, () => {}, {
    deliver: (item) => {
      arrived.push(item);
      return item === "a" ? busy.promise : undefined;
    },
  });
  delayed.push("a", 1, noMore);
  delayed.push("b", 1, noMore);
  clock.advanceTo(1000);
  assertEquals(arrived, ["a"]);
  busy.resolve();
  await busy.promise;
  await Promise.resolve();
  assertEquals(arrived, ["a", "b"]);
});

Deno.test("delay line delivers nothing while the cable is pulled, and a delay after it is back", () => {
  const clock = new FakeClock();
  const arrived: [string, number][] = [];
  const delayed = line<string>(clock, (item, atMs) => arrived.push([item, atMs]));
  delayed.push("a", 1, noMore);
  clock.advanceTo(10);
  delayed.hold();
  delayed.push("b", 1, noMore);
  clock.advanceTo(500);
  assertEquals(arrived, []);
  delayed.release(500);
  delayed.push("c", 1, noMore);
  clock.advanceTo(1000);
  assertEquals(arrived, [["a", 525], ["b", 525], ["c", 525]]);
});

Deno.test("delay line drops what is under way and lets waiting senders go when it is stopped", () => {
  const clock = new FakeClock();
  const arrived: string[] = [];
  const delayed = line<string>(clock, (item) => arrived.push(item), { windowBytes: 1 });
  let more = false;
  delayed.push("a", 10, () => more = true);
  delayed.stop();
  assert(more);
  clock.advanceTo(1000);
  assertEquals([arrived, clock.pending, delayed.underWayBytes], [[], 0, 0]);
  delayed.stop();
});
