import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { SaxesParser } from "../../lib/deps/saxes.ts";
import { junit } from "../../lib/report/junit.ts";
import { madeRun } from "./made_run.ts";

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

/** Reads XML strictly: whatever is not well-formed throws. */
function parse(xml: string): Element {
  const parser = new SaxesParser();
  const stack: Element[] = [{ name: "", attributes: {}, children: [], text: "" }];
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    const element = { name, attributes, children: [], text: "" };
    stack.at(-1)!.children.push(element);
    stack.push(element);
  });
  parser.on("text", (text) => void (stack.at(-1)!.text += text));
  parser.on("closetag", () => void stack.pop());
  parser.write(xml).close();
  return stack[0].children[0];
}

function documentOf(events: readonly RunEvent[]): string {
  let xml = "";
  const reporter = junit((text) => void (xml += text));
  for (const event of events) reporter.event(event);
  assertEquals(xml, "");
  reporter.close!();
  reporter.close!();
  return xml;
}

Deno.test("junit has a suite for each host and a case for each step, with counts that add up", () => {
  const root = parse(documentOf(madeRun({ hosts: 12, steps: 4, failing: 2, unreachable: 1 })));
  assertEquals(root.name, "testsuites");
  assertEquals(root.children.length, 12);
  const cases = root.children.flatMap(({ children }) => children);
  const having = (name: string) =>
    cases.filter(({ children }) => children.some((child) => child.name === name));
  const { tests, failures, errors, skipped } = root.attributes;
  assertEquals([tests, failures, errors, skipped].map(Number), [
    cases.length,
    having("failure").length,
    having("error").length,
    having("skipped").length,
  ]);
  assertEquals([failures, errors], ["2", "1"]);
  const [failure] = having("failure");
  assertEquals(failure.attributes, {
    name: "3 ./migrate.sh",
    classname: "web10",
    time: failure.attributes.time,
  });
  assertEquals(failure.children[0].attributes, { message: "exit status 3", type: "failed" });
  const err = failure.children.find(({ name }) => name === "system-err")!;
  assertEquals(err.text, 'applying 0042_add_index.sql\nERROR: relation "orders" is locked');
});

Deno.test("junit says which steps were not reached, and which failure the job says to ignore", () => {
  const events = madeRun({ hosts: 1, steps: 4, failing: 1 });
  const [suite] = parse(documentOf(events)).children;
  assertEquals(
    suite.children.at(-1)!.children[0].attributes.message?.startsWith("not reached: step 3"),
    true,
  );
  const ignoring = events.map((event): RunEvent =>
    event.type === "step-end" && event.status === "failed" ? { ...event, ignored: true } : event
  );
  const root = parse(documentOf(ignoring));
  assertEquals(root.attributes.failures, "0");
});

Deno.test("junit of a run that broke off is whole, and tells what had no end as an error", () => {
  const events = madeRun({ hosts: 2, steps: 2 });
  const cut = events.findIndex(({ type }) => type === "step-start") + 1;
  const root = parse(documentOf(events.slice(0, cut)));
  assertEquals(root.attributes.errors, "1");
  assert(root.children.length === 2);
});

Deno.test("junit is well-formed whatever hosts send, and loses no letter of it", () => {
  const text = fc.string({ unit: "binary", minLength: 1, maxLength: 40 });
  const hostile = fc.oneof(
    text,
    fc.constantFrom("]]>", "<!--", "&amp;", "\0", "\ud800", "\uffff", "<?x?>", "\x1b[2J"),
  );
  fc.assert(fc.property(hostile, (text) => {
    const events: RunEvent[] = JSON.parse(
      JSON.stringify(madeRun({ hosts: 2, steps: 3, failing: 1, output: () => text }))
        .replaceAll("web1", JSON.stringify(text).slice(1, -1))
        .replaceAll("stop the service", JSON.stringify(text).slice(1, -1)),
    );
    parse(documentOf(events));
  }));
  const [suite] =
    parse(documentOf(madeRun({ hosts: 1, steps: 1, output: () => `<a b="c">&amp;\t'é漢😀'\n` }))).children;
  assertEquals(suite.children[0].children[0].text, `<a b="c">&amp;\t'é漢😀'`);
});
