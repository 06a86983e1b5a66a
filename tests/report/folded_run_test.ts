import { assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { FoldedRun } from "../../lib/report/folded_run.ts";
import { madeRun } from "./made_run.ts";

/** What is told of a run, in order. */
function told(events: readonly RunEvent[]): { readonly run: FoldedRun; readonly calls: string[] } {
  const calls: string[] = [];
  const run = new FoldedRun({
    group: ({ step, hosts, lines }) => calls.push(`group ${step} ${hosts.length} ${lines.length}`),
    line: (host, { text }) => calls.push(`line ${host} ${text}`),
    bad: (event, lines) => calls.push(`bad ${event.host} ${event.type} ${event.step} ${lines.length}`),
  });
  for (const event of events) run.event(event);
  return { run, calls };
}

Deno.test("folded run tells a step's output once for all hosts, when the last of them is done with it", () => {
  const { calls } = told(madeRun({ hosts: 4, steps: 3, failing: 1 }));
  // The second step is a copy, which writes nothing; what failed is told with what it wrote.
  assertEquals(calls.toSorted(), ["bad web4 step-end 3 3", "group 1 4 1", "group 3 3 1"]);
  assertEquals(calls.filter((call) => call.startsWith("group")), ["group 1 4 1", "group 3 3 1"]);
});

Deno.test("the end names why where several hosts have it in common, and the step where one host told it before", () => {
  const texts = (events: readonly RunEvent[]) =>
    told(events).run.hosts().map(({ hosts, text }) => `${hosts.length} ${text}`);
  assertEquals(texts(madeRun({ hosts: 4, steps: 3, failing: 1, unreachable: 1 })), [
    "2 ok (3 ok)",
    "1 unreachable",
    "1 failed at step 3 (2 ok, 1 failed)",
  ]);
  assertEquals(texts(madeRun({ hosts: 4, steps: 3, failing: 2 })), [
    "2 ok (3 ok)",
    "2 failed (2 ok, 1 failed): step 3 (./migrate.sh): exit status 3",
  ]);
  // A reason that nobody heard of yet is told.
  const [start, ...rest] = madeRun({ hosts: 1, steps: 3, failing: 1 });
  assertEquals(texts([start!, ...rest.filter(({ type }) => type !== "step-end")]), [
    "1 failed (2 ok, 1 failed): step 3 (./migrate.sh): exit status 3",
  ]);
});
