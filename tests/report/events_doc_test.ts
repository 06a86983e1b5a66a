import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runEventVersion } from "../../lib/base/run_event.ts";
import { keptChars, keptInAllChars } from "../../lib/report/output_keeper.ts";

const source = await Deno.readTextFile("lib/base/run_event.ts");
const doc = await Deno.readTextFile("docs/events.md");

/** The events with the fields that are their own, read from the types. */
function eventsOf(text: string): Map<string, string[]> {
  const events = new Map<string, string[]>();
  for (const [, body] of text.matchAll(/export interface \w+Event extends \w+ \{\n(.*?)\n\}/gs)) {
    const [, type] = /readonly type: "([\w-]+)"/.exec(body) ?? [];
    if (type === undefined) continue;
    events.set(
      type,
      [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name).filter((name) =>
        name !== "type"
      ),
    );
  }
  return events;
}

const sections = new Map(
  doc.split(/^### /m).slice(1).map((text) => [text.split("\n", 1)[0], text.split(/^## /m, 1)[0]]),
);
const events = eventsOf(source);

Deno.test("the reference of the event stream tells its version", () => {
  assertStringIncludes(doc, `\`"version": ${runEventVersion}\``);
});

Deno.test("the reference of the event stream has every event, and no other", () => {
  assertEquals(events.size, 12);
  assertEquals([...sections.keys()].filter((name) => name.includes("-")).sort(), [...events.keys()].sort());
});

for (const [type, fields] of events) {
  Deno.test(`the reference of ${type} has every field, and no other`, () => {
    const rows = [...sections.get(type)!.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    assertEquals(rows.sort(), [...fields].sort());
  });
}

Deno.test("the reference of the event stream has every kind of step", () => {
  const [, kinds] = /export type StepKind =((?:\s*\| "\w+")+);/.exec(source) ?? [];
  assert(kinds);
  for (const [, kind] of kinds.matchAll(/"(\w+)"/g)) {
    assertStringIncludes(sections.get("step-start")!, `\`${kind}\``);
  }
});

Deno.test("the reference tells the bounds that the page keeps", () => {
  assertStringIncludes(doc.replace(/\s+/g, " "), `the first and the last ${keptChars / 1024} KiB`);
  assertStringIncludes(doc.replace(/\s+/g, " "), `exceed ${keptInAllChars / 1024 / 1024} MiB together`);
});
