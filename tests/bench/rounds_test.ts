import { assertEquals, assertStringIncludes } from "@std/assert";
import { orderOf, runRounds } from "../../bench/method/rounds.ts";
import { summarize } from "../../bench/method/summary.ts";
import { table } from "../../bench/method/table.ts";
import type { Contender, Workload } from "../../bench/method/workload.ts";

const link = { rttMs: 0, emulated: false };

/** A contender that measures these values in turn; the first is the warm-up's. */
function scripted(name: string, values: readonly number[], turns: string[] = []): Contender {
  const left = [...values];
  return {
    name,
    measure: () => {
      turns.push(name);
      return Promise.resolve({ value: left.shift()!, operations: 1 });
    },
  };
}

function workload(contenders: readonly Contender[], more: Partial<Workload> = {}): Workload {
  return { id: "w", title: "t", link, baseline: contenders[0].name, contenders, ...more };
}

Deno.test("rounds give everybody one turn each, and nobody always the same neighbour", async () => {
  const turns: string[] = [];
  const values = [1, 1, 1, 1, 1, 1, 1];
  const three = ["a", "b", "c"].map((name) => scripted(name, values, turns));
  await runRounds(workload(three), { rounds: 6 });
  const rounds = Array.from({ length: 7 }, (_, index) => turns.slice(index * 3, index * 3 + 3).join(""));
  for (const round of rounds) assertEquals([...round].toSorted().join(""), "abc");
  // All three have been first, and all three last.
  assertEquals(new Set(rounds.map((round) => round[0])).size, 3);
  assertEquals(new Set(rounds.map((round) => round[2])).size, 3);
  assertEquals(orderOf([], 3), []);
});

Deno.test("rounds throw the warm-up away and keep every raw value", async () => {
  const { rounds } = await runRounds(workload([scripted("a", [99, 1, 2, 3])]), { rounds: 3 });
  assertEquals(rounds.map(({ round, measurement }) => [round, measurement.value]), [[1, 1], [2, 2], [3, 3]]);
});

Deno.test("ratios are taken round by round, so that what slows a round down does not show", async () => {
  // The second round is ten times as slow for both: the ratio of medians would hide what the pairs show.
  const slow = scripted("slow", [0, 4, 40, 8]);
  const fast = scripted("fast", [0, 2, 20, 2]);
  const promises = [{ contender: "fast", against: "slow", atMost: 0.4, source: "x" }];
  const summary = summarize(await runRounds(workload([slow, fast], { promises }), { rounds: 3 }));
  assertEquals(summary.contenders[1].ratio, { median: 0.5, min: 0.25, max: 0.5, pairs: 3 });
  assertEquals(summary.promises.map(({ kept, found }) => [kept, found]), [[false, 0.5]]);
});

Deno.test("what is missing or fails is named, and the rest goes on", async () => {
  const absent = { name: "absent", missing: "no such program here" };
  const broken: Contender = {
    name: "broken",
    measure: () => Promise.reject(new Deno.errors.BadResource("oh")),
  };
  const promises = [{ contender: "broken", against: "a", atMost: 1, source: "x" }];
  const work = workload([scripted("a", [1, 1, 1]), absent, broken], { promises });
  const result = await runRounds(work, { rounds: 2 });
  assertEquals([...result.missing], [["absent", "no such program here"]]);
  assertEquals([...result.failed], [["broken", "oh"]]);
  const summary = summarize(result);
  assertEquals(summary.contenders.map(({ contender, rounds }) => [contender, rounds]), [["a", 2]]);
  assertEquals(summary.promises[0].kept, undefined);
  const text = table(result, summary);
  for (const part of ["missing: absent: no such program here", "FAILED: broken: oh", "not measured"]) {
    assertEquals(text.includes(part), true, part);
  }
});

Deno.test("figures in different units get no ratio", async () => {
  const together = () =>
    Promise.resolve({ ms: { value: 4, operations: 1 }, memory: { value: 2, operations: 1 } });
  const contenders: Contender[] = [{ name: "ms" }, { name: "memory", unit: "MB" }];
  const summary = summarize(await runRounds(workload(contenders, { together }), { rounds: 2 }));
  assertEquals(summary.contenders.map(({ ratio }) => ratio?.median), [1, undefined]);
});

Deno.test("a contender with few rounds has no warm-up and no more turns than that", async () => {
  const turns: string[] = [];
  const slow = { ...scripted("slow", [7, 8, 9], turns), rounds: 1 };
  const result = await runRounds(workload([scripted("a", [0, 1, 2, 3], turns), slow]), { rounds: 3 });
  assertEquals(turns.filter((name) => name === "slow").length, 1);
  const [, summary] = summarize(result).contenders;
  assertEquals([summary.median, summary.rounds, summary.ratio?.pairs], [7, 1, 1]);
});

Deno.test("no round is begun when the time is over, the first one always is, and the table says so", async () => {
  const result = await runRounds(workload([scripted("a", [1, 2, 3])]), {
    rounds: 3,
    budgetMs: -1,
    cold: true,
  });
  assertEquals(result.rounds.map(({ round, measurement }) => [round, measurement.value]), [[1, 1]]);
  assertStringIncludes(table(result, summarize(result)), "1 of 3 rounds");
});

Deno.test("a run that was stopped counts as longer than that", async () => {
  const stopped: Contender = {
    name: "slow",
    measure: () => Promise.resolve({ value: 100, operations: 1, stopped: true }),
  };
  const promises = [{ contender: "a", against: "slow", atMost: 0.1, source: "x" }];
  const result = await runRounds(workload([scripted("a", [9, 9]), stopped], { promises }), { rounds: 1 });
  const summary = summarize(result);
  assertEquals(summary.promises[0].kept, true);
  assertStringIncludes(table(result, summary), "≥ 100 ms");
});

Deno.test("promises are judged by CPU, from below and by memory where they say so", async () => {
  const measured = (value: number, clientCpuMs: number, peakMB: number) => () =>
    Promise.resolve({ value, operations: 1, clientCpuMs, peakMB, more: { serverCpuMs: 3 } });
  const a: Contender = { name: "a", measure: measured(10, 50, 90) };
  const b: Contender = { name: "b", measure: measured(20, 40, 10) };
  const promises = [
    { contender: "a", against: "b", atMost: 1, source: "x" },
    { contender: "a", against: "b", atMost: 1, figure: "clientCpuMs" as const, source: "x" },
    { contender: "a", atLeastValue: 10, source: "x" },
    { contender: "a", atLeastValue: 11, source: "x" },
    { contender: "a", atMostPeakMB: 90, source: "x" },
    { contender: "a", atMostPeakMB: 89, source: "x" },
  ];
  const result = await runRounds(workload([a, b], { promises }), { rounds: 2 });
  const summary = summarize(result);
  assertEquals(summary.promises.map(({ kept }) => kept), [true, false, true, false, true, false]);
  const text = table(result, summary);
  for (const part of ["server CPU", "peak memory", "90 MB"]) assertStringIncludes(text, part);
});
