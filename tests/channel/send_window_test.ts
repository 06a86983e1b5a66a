import { assert, assertEquals } from "@std/assert";
import { RoundTrip } from "../../lib/channel/round_trip.ts";
import { SendWindow } from "../../lib/channel/send_window.ts";

const PACKET = 32 * 1024;

/** A way with a narrowest part, and a sender that always has more. */
class Push {
  nowMs = 0;
  readonly window: SendWindow;
  peakQueueBytes = 0;
  sentBytes = 0;
  readonly #answers: { readonly atMs: number }[] = [];
  #freeAtMs = 0;

  constructor(readonly bytesPerMs: number, readonly rttMs: number) {
    const roundTrip = new RoundTrip(() => this.nowMs);
    roundTrip.seen(rttMs);
    this.window = new SendWindow(roundTrip);
  }

  run(untilMs: number): void {
    while (this.nowMs < untilMs) {
      while (this.window.room > 0) {
        const bytes = Math.min(PACKET, this.window.room);
        this.#freeAtMs = Math.max(this.#freeAtMs, this.nowMs) + bytes / this.bytesPerMs;
        this.sentBytes += bytes;
        this.window.sent(bytes);
        if (this.window.wantsProbe || (this.window.room <= 0 && !this.window.awaitsAnswer)) {
          this.window.probed();
          this.#answers.push({ atMs: this.#freeAtMs + this.rttMs });
        }
      }
      this.peakQueueBytes = Math.max(this.peakQueueBytes, (this.#freeAtMs - this.nowMs) * this.bytesPerMs);
      const answer = this.#answers.shift();
      assert(answer !== undefined, "stuck: nothing may be sent, and no answer is on its way");
      this.nowMs = Math.max(this.nowMs, answer.atMs);
      this.window.answered();
    }
  }
}

Deno.test("a push fills its pipe and leaves a queue of a few milliseconds", () => {
  const push = new Push(12_500, 50); // 100 Mbit/s
  push.run(3000);
  push.peakQueueBytes = push.sentBytes = 0;
  const startedAt = push.nowMs;
  push.run(8000);
  assert(push.sentBytes / (push.nowMs - startedAt) >= 0.95 * 12_500, "the pipe was not full");
  // 5 ms of queue, as much again for what is let go at once.
  assert(push.peakQueueBytes <= 12_500 * 15, `${push.peakQueueBytes} bytes queued`);
});

Deno.test("a push over a long and wide way grows until it is full", () => {
  const push = new Push(62_500, 200); // 500 Mbit/s
  push.run(3000);
  const [before, startedAt] = [push.sentBytes, push.nowMs];
  push.run(6000);
  assert((push.sentBytes - before) / (push.nowMs - startedAt) >= 0.9 * 62_500);
});

Deno.test("short input is sent without a probe", () => {
  const window = new SendWindow(new RoundTrip());
  window.sent(200_000);
  assertEquals([window.wantsProbe, window.room > 0], [false, true]);
});

Deno.test("a server that answers no probe is sent to as its own window allows", () => {
  const window = new SendWindow(new RoundTrip());
  while (window.room > 0) window.sent(Math.min(PACKET, window.room));
  assertEquals(window.room, 0);
  window.giveUp();
  assertEquals([window.room, window.wantsProbe], [Infinity, false]);
});
