import { assertEquals, assertThrows } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { together } from "../../lib/report/reporter.ts";
import { madeRun } from "./made_run.ts";

Deno.test("reporters together each get every event, in order, and are closed", () => {
  const told: [string, string][] = [];
  const one = (name: string) => ({
    event: (event: RunEvent) => void told.push([name, event.type]),
    close: () => void told.push([name, "closed"]),
  });
  const both = together([one("a"), one("b")]);
  const events = madeRun({ hosts: 2, steps: 1 });
  for (const event of events) both.event(event);
  both.close!();
  for (const name of ["a", "b"]) {
    assertEquals(told.filter(([who]) => who === name).map(([, what]) => what), [
      ...events.map(({ type }) => type),
      "closed",
    ]);
  }
});

Deno.test("a reporter that cannot be closed keeps no other from being closed", () => {
  let closed = 0;
  const both = together([
    {
      event: () => {},
      close: () => {
        throw new RangeError("no room on the disk");
      },
    },
    { event: () => {}, close: () => void closed++ },
    { event: () => {} },
  ]);
  assertThrows(() => both.close!(), RangeError, "no room");
  assertEquals(closed, 1);
});
