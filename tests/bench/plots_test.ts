import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { charts } from "../../bench/plots/charts.ts";
import { draw } from "../../bench/plots/draw.ts";
import { promiseTable } from "../../bench/plots/promises.ts";
import { readmeSection } from "../../bench/plots/readme.ts";
import { readResults, resultsOf } from "../../bench/plots/results.ts";

const lines = (...records: object[]) => records.map((record) => JSON.stringify(record)).join("\n") + "\n";

const workload = (
  id: string,
  rttMs: number,
  medians: Record<string, number>,
  title = "5 hosts × 2 steps, x",
) => [
  { type: "workload", workload: id, title, link: { rttMs, emulated: rttMs > 0 }, baseline: "" },
  ...Object.entries(medians).map(([contender, median]) => ({
    type: "summary",
    workload: id,
    contender,
    median,
  })),
];

const ours = { "carpool, riding the keeper": 5, "carpool, connection per command": 90 };

const everything = [
  lines(
    { type: "run", startedAt: "2026-01-01T00:00:00Z" },
    ...workload("fleet-0", 0, { "carpool run": 100, "pssh & <friends>": 400 }),
    ...workload("fleet-50", 50, { "carpool run": 200 }),
    ...workload("during-bulk-narrow", 50, { "asyncssh: p50": 200, "asyncssh: p99": 300 }),
    ...workload("exec-0", 0, { "ssh, new each time": 200, "ssh -S on its own master": 10, ...ours }),
    ...workload("exec-50", 50, { "ssh, new each time": 600, "ssh -S on its own master": 110, ...ours }),
  ),
  lines(
    { type: "run", startedAt: "2026-01-02T00:00:00Z" },
    { type: "speed-up", rttMs: 50, commands: 1, sharedMs: 450, perCommandMs: 500 },
    { type: "speed-up", rttMs: 50, commands: 10, sharedMs: 1000, perCommandMs: 5000 },
  ),
];

Deno.test("of several runs the newest that has a workload is taken, and a failed contender is not", () => {
  const results = resultsOf([
    lines(
      { type: "run", startedAt: "a" },
      ...workload("w", 0, { x: 1, y: 2 }),
      ...workload("old", 0, { x: 3 }),
    ),
    lines({ type: "run", startedAt: "b" }, ...workload("w", 0, { x: 5, y: 6 }), {
      type: "failed",
      workload: "w",
      contender: "y",
      why: "it broke",
    }),
  ]);
  assertEquals([...results.newest("w")!.medians], [["x", 5]]);
  assertEquals(results.newest("w")!.absent, ["y (failed)"]);
  assertEquals(results.newest("w")!.startedAt, "b");
  assertEquals(results.newest("old")!.medians.get("x"), 3);
  assertEquals(results.workloads, ["old", "w"]);
});

Deno.test("a run in which everybody failed does not hide the one before", () => {
  const failed = { type: "failed", workload: "w", contender: "x", why: "it broke" };
  const results = resultsOf([
    lines({ type: "run", startedAt: "a" }, ...workload("w", 0, { x: 1 })),
    lines({ type: "run", startedAt: "b" }, ...workload("w", 0, { x: 2 }), failed),
  ]);
  assertEquals(results.newest("w")!.medians.get("x"), 1);
});

Deno.test("each plot is drawn as SVG with its title and its names, and says nothing is missing", async () => {
  for (const { spec, missing, title } of charts(resultsOf(everything))) {
    assert(spec);
    assertEquals(missing, []);
    const svg = await draw(spec);
    assertMatch(svg, /^<svg [^]*<\/svg>\n$/);
    assertStringIncludes(svg, title);
  }
});

Deno.test("names from results are data in the SVG", async () => {
  const fleet = charts(resultsOf(everything)).find(({ name }) => name === "fleet")!;
  assertStringIncludes(await draw(fleet.spec!), "pssh &amp; &lt;friends&gt;");
});

Deno.test("a plot without results is not drawn, and says which command would give them", () => {
  const empty = charts(resultsOf([]));
  assertEquals(empty.map(({ spec }) => spec), [undefined, undefined, undefined, undefined]);
  for (const { name, missing } of empty) assertMatch(missing.join(), /deno task bench/, name);
  const section = readmeSection(resultsOf([]), empty);
  assertMatch(section, /Not drawn, because no result has it: /);
  assert(!section.includes(".svg"));
});

Deno.test("README's section says what sharing saves and from when on, and shows what was drawn", () => {
  const results = resultsOf(everything);
  const section = readmeSection(results, charts(results));
  assertStringIncludes(section, "10 commands in a row are **5.0 times as fast**");
  assertMatch(section, /\| round trip 50 ms +\| +1\.1 × \| +5\.0 × \|/);
  for (const name of ["round-trip", "speed-up", "during-bulk", "fleet"]) {
    assertStringIncludes(section, `(bench/plots/current/${name}.svg)`);
  }
});

Deno.test("what README shows is there", async () => {
  const root = new URL("../../", import.meta.url);
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const shown = [...readme.matchAll(/\]\((bench\/[^)]+)\)/g)].map(([, path]) => path);
  for (const path of shown) assert((await Deno.stat(new URL(path, root))).isFile, path);
  assert(shown.some((path) => path.endsWith(".svg")));
});

Deno.test("commands in a row are drawn from a workload's rounds, the newest before the model's", () => {
  const rounds = (contender: string, at1: number) =>
    [1, 2, 3].map((round) => ({
      ...{ type: "round", workload: "speed-up-50", contender, round, value: 9 },
      more: { at1: at1 + round, at10: 10 * at1 },
    }));
  const { speedUps } = resultsOf([
    lines({ type: "speed-up", rttMs: 50, commands: 1, sharedMs: 1, perCommandMs: 1 }),
    lines(
      ...workload("speed-up-50", 50, { "carpool, one connection": 9, "carpool, connection per command": 9 }),
      ...rounds("carpool, one connection", 10),
      ...rounds("carpool, connection per command", 20),
    ),
  ]);
  assertEquals(speedUps, [
    { rttMs: 50, commands: 1, sharedMs: 12, perCommandMs: 22 },
    { rttMs: 50, commands: 10, sharedMs: 100, perCommandMs: 200 },
  ]);
});

Deno.test("a tool that was stopped is drawn as longer than that", async () => {
  const records = workload(
    "fleet-200-hosts",
    0,
    { "carpool run": 3000, slow: 120_000 },
    "200 hosts × 10 steps",
  );
  const stopped = records.map((record) =>
    "contender" in record && record.contender === "slow" ? { ...record, stopped: true } : record
  );
  const fleet = charts(resultsOf([lines(...stopped)])).find(({ name }) => name === "fleet")!;
  assertStringIncludes(await draw(fleet.spec!), "more than 120.0");
});

Deno.test("each promise has a row that says what was found, and whether it was kept", () => {
  const promise = { type: "promise", workload: "w", source: "issue 5" };
  const table = promiseTable(resultsOf([
    lines(
      { type: "run", startedAt: "2026-01-01T10:00:00Z" },
      ...workload("w", 0, { x: 1 }),
      { ...promise, text: "x at most 1 × y: 0.50 (0.40 to 0.60)", kept: true },
      { ...promise, text: "x at most 0.1 × y: 0.50 (0.40 to 0.60)", kept: false },
      { ...promise, text: "z at most 1 × y: not measured" },
    ),
  ]));
  assertMatch(
    table,
    /\| x at most 1 × y \(issue 5\) +\| 0\.50 \(0\.40 to 0\.60\) +\| kept +\| w, 2026-01-01 10:00 \|/,
  );
  assertMatch(table, /\| x at most 0\.1 × y .*\*\*missed\*\*/);
  assertMatch(table, /\| z at most 1 × y \(issue 5\) +\| not measured +\| open/);
});

Deno.test("a quick look does not hide a whole run that is older", async () => {
  const directory = await Deno.makeTempDir();
  const write = (name: string, ms: number) =>
    Deno.writeTextFile(`${directory}/${name}.jsonl`, lines(...workload("exec-0", 0, { x: ms })));
  await write("2026-01-01T00-00-00", 1);
  await write("2026-01-02T00-00-00-quick", 2);
  const results = await readResults(new URL(`file://${directory}/`));
  await Deno.remove(directory, { recursive: true });
  assertEquals(results.newest("exec-0")!.medians.get("x"), 1);
});
