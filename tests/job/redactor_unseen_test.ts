/** Secrets that have something in them which no terminal shows: whoever shows them would put them together again. */
import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { Redactor } from "../../lib/job/redactor.ts";

const secret = "correct-horse";
const unseen = [
  "\x1b[01;31m",
  "\x1b[m\x1b[K",
  "\x9b0m",
  "\x1b]8;;http://x\x07",
  "\x1b]8;;http://x\x1b\\",
  "\x1bP1$r\x1b\\",
  "\x1b(B",
  "\x1b7",
  "\u200b",
  "\u2060",
  "\u202e",
  "\b",
  "\x00",
  "\x7f",
];

for (const between of unseen) {
  Deno.test(`a secret is taken out with ${JSON.stringify(between)} in the middle of it`, () => {
    const text = `password: correct-${between}horse${between}, once more cor${between}${between}rect-horse.`;
    const redacted = new Redactor([secret]).text(text);
    assert(!/cor|horse/.test(redacted), JSON.stringify(redacted));
    assert(redacted.startsWith("password: ***"));
  });
}

Deno.test("no secret is left however output is cut and whatever stands in it unseen", () => {
  const letters = fc.tuple(
    ...[...secret].map((letter) =>
      fc.tuple(fc.constant(letter), fc.array(fc.constantFrom(...unseen), { maxLength: 2 }))
    ),
  );
  const around = fc.string({
    unit: fc.constantFrom("c", "co", "x", " ", "\n", "\x1b[0m", "é"),
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      around,
      letters,
      around,
      fc.array(fc.nat(80), { maxLength: 8 }),
      (before, pairs, after, cuts) => {
        const text = before + pairs.map(([letter, junk]) => letter + junk.join("")).join("") + after;
        const stream = new Redactor([secret]).stream();
        let told = "";
        let from = 0;
        for (
          const cut of [...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
        ) {
          told += stream.push(text.slice(from, cut));
          from = cut;
        }
        told += stream.end();
        let bare = told;
        for (const one of unseen) {
          bare = bare.replaceAll(one, "");
        }
        assert(!bare.includes(secret), JSON.stringify(told));
        assert(told.includes("***"), JSON.stringify(told));
      },
    ),
  );
});

Deno.test("colours that are in no secret stay, and are told at once", () => {
  const stream = new Redactor([secret]).stream();
  const text = "\x1b[32mcolours\x1b[0m c\x1b[31mx correct";
  assertEquals(stream.push(text), text.slice(0, -"correct".length));
  assertEquals(stream.push("ly\n"), "correctly\n");
});

Deno.test("a great deal of coloured output is gone through in one go, not once for each letter", () => {
  const redactor = new Redactor([secret]);
  const text = "\x1b[31mcccc\x1b[0m ".repeat(20_000);
  assertEquals(redactor.text(text), text);
  assertEquals(redactor.safeLength(text), text.length);
});

Deno.test("what reports make of such an event has no secret in it", async () => {
  const [{ lines }, { htmlReport }, { junit }, { github }] = await Promise.all([
    import("../../lib/report/lines.ts"),
    import("../../lib/report/html_report.ts"),
    import("../../lib/report/junit.ts"),
    import("../../lib/report/github.ts"),
  ]);
  const redactor = new Redactor([secret]);
  const { madeRun } = await import("../report/made_run.ts");
  const output = () => `the password is \x1b[01;31mcorrect\x1b[m-\u200bhorse\n`;
  let shown = "";
  const sink = (text: string) => void (shown += text);
  const reporters = [lines(sink), htmlReport({ version: "0", save: sink }), junit(sink), github(sink)];
  const events: RunEvent[] = madeRun({ hosts: 2, steps: 1, output }).map((event) => redactor.event(event));
  for (const reporter of reporters) {
    for (const event of events) reporter.event(event);
    reporter.close?.();
  }
  assert(shown.includes("the password is "), shown);
  assert(!/correct|horse/.test(shown), shown);
});
