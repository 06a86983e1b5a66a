import { assert, assertEquals } from "@std/assert";
import { realClock, waitUntil } from "../../lib/emulator/clock.ts";

for (const urgent of [true, false]) {
  Deno.test(`clock never fires early, nor at once${urgent ? ", when it is urgent" : ""}`, async () => {
    for (const inMs of [-5, 0, 0.3, 1, 2.7, 6.5]) {
      const atMs = realClock.now() + inMs;
      let within = true;
      await new Promise<void>((resolve) => {
        realClock.setTimer(atMs, () => {
          assert(!within && realClock.now() >= atMs);
          resolve();
        }, urgent);
        within = false;
      });
    }
  });

  Deno.test(`clock does not fire after a cancel${urgent ? ", when it is urgent" : ""}`, async () => {
    const fired: number[] = [];
    const timers = [0, 0.5, 3].map((inMs) =>
      realClock.setTimer(realClock.now() + inMs, () => fired.push(inMs), urgent)
    );
    for (const timer of timers) timer.cancel();
    // What is set later for a later moment fires later: by then the others would have.
    await new Promise<void>((resolve) => realClock.setTimer(realClock.now() + 6, resolve, urgent));
    for (const timer of timers) timer.cancel();
    assertEquals(fired, []);
  });
}

Deno.test("waiting ends with false when it is given up, before or after it began", async () => {
  const controller = new AbortController();
  const waiting = waitUntil(realClock, realClock.now() + 60_000, controller.signal);
  controller.abort();
  assertEquals(await waiting, false);
  assertEquals(await waitUntil(realClock, 0, controller.signal), false);
  assertEquals(await waitUntil(realClock, 0, new AbortController().signal), true);
});
