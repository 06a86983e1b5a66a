import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { benchTable, conclusion, type Found, median, paysFrom } from "../../lib/cli/bench_report.ts";

const found = (
  shared: readonly number[],
  perCommand: readonly number[],
  ssh: readonly number[] = [],
  openMs?: number,
): Found => ({
  shared: { name: "shared", samplesMs: shared },
  perCommand: { name: "per command", samplesMs: perCommand },
  ssh: { name: "ssh", samplesMs: ssh, missing: ssh.length > 0 ? undefined : "there is no ssh on PATH" },
  openMs,
});

Deno.test("the median of an even count lies halfway", () => {
  assertEquals([median([3, 1, 2]), median([4, 1, 2, 3]), median([5])], [2, 2.5, 5]);
  assertEquals(median([]), NaN);
});

Deno.test("sharing pays from the first count at which opening and sharing take less than the other", () => {
  for (
    const [openMs, sharedMs, otherMs] of [[300, 100, 400], [290, 100, 400], [0, 1, 2], [1000, 10, 20], [
      35,
      3,
      5,
    ]]
  ) {
    const from = paysFrom(openMs, otherMs - sharedMs);
    const gain = (commands: number) => commands * otherMs - (openMs + commands * sharedMs);
    assertEquals([gain(from) > 0, gain(from - 1) > 0], [true, false], `${openMs} ${sharedMs} ${otherMs}`);
  }
});

Deno.test("the conclusion is one sentence that says what sharing saves and from when on", () => {
  const text = conclusion(found([100, 110, 90], [500, 500, 500], [], 350));
  assertEquals(
    text,
    "Sharing saves 400 ms of 500 ms per command here (80 %, 5.0 times as fast), and it pays from the first command on.",
  );
  assertStringIncludes(conclusion(found([100], [300], [], 250)), "from 2 commands on.");
});

Deno.test("the conclusion does not claim a saving where there is none", () => {
  assertMatch(conclusion(found([10], [9], [], 20)), /^Sharing saves nothing here: .*10\.0 ms.*9\.0 ms/);
});

Deno.test("the conclusion falls back on ssh, and says when nothing can be compared", () => {
  assertMatch(conclusion(found([100], [], [500])), /^Sharing saves 400 ms of 500 ms/);
  assertMatch(conclusion(found([100], [])), /cannot be said/);
});

Deno.test("the table names what is missing, with the reason, and gives ratios against the shared connection", () => {
  const lines = benchTable(found([100, 120, 80], [450])).split("\n");
  assertMatch(lines[0], /shared +100 ms +1\.0 × +3 times, 80\.0 ms – 120 ms/);
  assertMatch(lines[1], /per command +450 ms +4\.5 ×/);
  assertMatch(lines[2], /ssh +not measured: there is no ssh on PATH/);
});
