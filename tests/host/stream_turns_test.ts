import { assertEquals, assertRejects } from "@std/assert";
import { type StreamTurn, StreamTurns } from "../../lib/host/stream_turns.ts";

class World {
  nowMs = 0;
  readonly turns: StreamTurns;
  readonly taken: { readonly name: string; readonly turn: StreamTurn }[] = [];

  constructor(most: number) {
    this.turns = new StreamTurns({ most, now: () => this.nowMs });
  }

  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      this.turns.take(new AbortController().signal)
        .then((turn) => this.taken.push({ name, turn }));
    }
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  get names(): string {
    return this.taken.map(({ name }) => name).join("");
  }

  turn(name: string): StreamTurn {
    return this.taken.find((one) => one.name === name)!.turn;
  }

  async end(name: string): Promise<void> {
    this.turn(name)[Symbol.dispose]();
    await this.settle();
  }
}

Deno.test("streams that run fast take turns, first come first", async () => {
  const world = new World(1);
  await world.start("a", "b", "c");
  assertEquals(world.names, "a");
  world.nowMs = 1000;
  world.turn("a").moved(500e6);
  world.turns.look();
  await world.settle();
  assertEquals(world.names, "a");
  await world.end("a");
  await world.end("a"); // once is enough
  assertEquals([world.names, world.turns.runningCount], ["ab", 1]);
  await world.end("b");
  assertEquals(world.names, "abc");
  await world.end("c");
  assertEquals(world.turns.runningCount, 0);
});

Deno.test("streams that are slow do not hold up the others: each look lets in as many as run", async () => {
  const world = new World(1);
  await world.start("a", "b", "c", "d", "e");
  world.nowMs = 100; // `ssh` may still be starting
  world.turns.look();
  await world.settle();
  assertEquals(world.names, "a");
  for (const [nowMs, names] of [[400, "ab"], [500, "ab"], [800, "abcd"], [1200, "abcde"]] as const) {
    world.nowMs = nowMs;
    for (const { turn } of world.taken) turn.moved(nowMs * 10_000); // 10 MB/s
    world.turns.look();
    await world.settle();
    assertEquals(world.names, names);
  }
  for (const name of "abcde") await world.end(name);
});

Deno.test("streams that could be faster let others in when there is a core to spare, which shows in waking in time", async () => {
  const world = new World(1);
  await world.start("a", "b");
  world.nowMs = 1000;
  world.turn("a").moved(100e6); // 100 MB/s
  for (
    const [lateMs, names] of [[5, "a"], [0, "a"], [0, "a"], [3, "a"], [0, "a"], [1, "a"], [0, "ab"]] as const
  ) {
    world.turns.look(lateMs);
    await world.settle();
    assertEquals(world.names, names);
  }
  for (const name of "ab") await world.end(name);
});

Deno.test("whoever waits may leave, with the reason of the signal", async () => {
  const world = new World(1);
  await world.start("a");
  const stop = new AbortController();
  const waiting = world.turns.take(stop.signal);
  const reason = new DOMException("enough", "AbortError");
  stop.abort(reason);
  assertEquals(await assertRejects(() => waiting), reason);
  await world.end("a");
  await world.start("b");
  assertEquals(world.names, "ab");
  await world.end("b");
});
