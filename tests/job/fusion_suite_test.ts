/**
 * Every job that the test suite has, run with its steps together and one by one on a real host: the same events, apart
 * from times. The jobs are taken from the tests' own text, so that a new one is in as soon as it is written.
 */
import { assert, assertEquals } from "@std/assert";
import { parseDocument } from "../../lib/deps/yaml.ts";
import { CarpoolError } from "../../lib/base/errors.ts";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { FusionWorld, withoutTimes } from "./fusion_world.ts";

const root = new URL("../../", import.meta.url).pathname;

/** Text of a file from an opening bracket to the one that closes it; undefined where there is none. */
function balanced(text: string, from: number): string | undefined {
  let depth = 0;
  let quote: string | undefined;
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (quote !== undefined) {
      if (char === "\\") at++;
      else if (char === quote) quote = undefined;
    } else if (char === "'" || char === '"' || char === "`") quote = char;
    else if (char === "[" || char === "{" || char === "(") depth++;
    else if ((char === "]" || char === "}" || char === ")") && --depth === 0) return text.slice(from, at + 1);
  }
  return undefined;
}

/** Lists of steps in a test's text: those that are written out, and task files in YAML. */
function* stepsIn(text: string): Generator<unknown> {
  for (const { index } of text.matchAll(/\bsteps: \[/g)) {
    const list = balanced(text, index + "steps: ".length);
    try {
      // Our own tests, not somebody's input; what speaks of the test's variables throws, and is left out.
      yield Function(`"use strict"; return ${list}`)();
    } catch {
      continue;
    }
  }
  for (const [, yaml] of text.matchAll(/`((?:[^`\\]|\\.)*^steps:(?:[^`\\]|\\.)*)`/gm)) {
    try {
      yield (parseDocument(yaml!.replaceAll("\\\\", "\\")).toJS() as { steps?: unknown }).steps;
    } catch {
      continue;
    }
  }
}

/** Steps that a run can take without anybody there, and that come to an end. */
function isTame(steps: unknown): steps is JobDefinition["steps"] {
  if (!Array.isArray(steps) || steps.length === 0) return false;
  const text = JSON.stringify(steps);
  // A secret step is read by `eval`, which an error message of the shell then names; a long one cannot run alone at all.
  if (/"secret":true/.test(text) || text.length > 100_000) return false;
  // $PPID is sshd itself where the step is alone.
  return !/"(prompt|confirm|user|template|script|include|fetch|reconnect|wait)"/.test(text) &&
    !/sleep (\d\d|[2-9])|while |until |yes|\$\{|tail -f|kill -9 -1|PPID|@|cmdline|df -/.test(text);
}

async function jobs(): Promise<JobDefinition[]> {
  const found = new Map<string, JobDefinition>();
  for (const dir of ["tests/job", "tests/cli", "tests/report", "tests/bench"]) {
    for await (const { name } of Deno.readDir(root + dir)) {
      if (!name.endsWith(".ts") || name === "fusion_suite_test.ts") continue;
      for (const steps of stepsIn(await Deno.readTextFile(`${root}${dir}/${name}`))) {
        if (isTame(steps)) found.set(JSON.stringify(steps), { steps });
      }
    }
  }
  for await (const { name } of Deno.readDir(`${root}tasks`)) {
    if (!/\.ya?ml$/.test(name)) continue;
    const { steps } = parseDocument(await Deno.readTextFile(`${root}tasks/${name}`)).toJS() as {
      steps?: unknown;
    };
    if (isTame(steps)) found.set(JSON.stringify(steps), { steps });
  }
  return [...found.values()];
}

/** Steps of a parallel group mix as they like: each step's events in their order, steps in theirs. */
function inOrder(events: readonly RunEvent[]): unknown {
  const step = (event: unknown) => (event as { step?: string }).step ?? "";
  const told = withoutTimes(events);
  const first = told.findIndex((event) => step(event) !== "");
  const last = told.findLastIndex((event) => step(event) !== "");
  const middle = told.slice(first, last + 1).map((event, i) => [event, i] as const).sort(([a, i], [b, j]) =>
    step(a).localeCompare(step(b), "en", { numeric: true }) || i - j
  ).map(([event]) => event);
  return first < 0 ? told : [...told.slice(0, first), ...middle, ...told.slice(last + 1)];
}

/** What differs by itself from run to run. */
const settled = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value).replace(/\.carpool-[0-9a-f-]+/g, "").replace(
      /up +[^,"]*,|load average[^"]*|\d+% */g,
      "",
    )
      .replace(/\d\d:\d\d:\d\d/g, ""),
  );

Deno.test("every job of the test suite tells the same together and one by one", async () => {
  await using world = await FusionWorld.make();
  const all = await jobs();
  // Were the tests' text to change its shape, nothing would be found, and nothing checked.
  assert(all.length >= 30, `${all.length} jobs found`);
  let fused = 0;
  for (const job of all) {
    const run = async (fuse: boolean) => {
      await empty(world.sshd.home);
      try {
        return await world.sessionsOf(async () => settled(inOrder((await world.run(job, { fuse })).events)));
      } catch (error) {
        // Not every job is a right one.
        if (error instanceof CarpoolError) return { sessions: 0, value: error.code };
        throw error;
      }
    };
    const together = await run(true);
    const single = await run(false);
    assertEquals(together.value, single.value, JSON.stringify(job));
    if (together.sessions < single.sessions) fused++;
  }
  assert(fused >= 8, `only ${fused} of ${all.length} jobs travelled together`);
});

async function empty(dir: string): Promise<void> {
  for await (const { name } of Deno.readDir(dir)) {
    await Deno.remove(`${dir}/${name}`, { recursive: true });
  }
}
