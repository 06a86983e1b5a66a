import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { OutputFold, type OutputLine } from "../../lib/report/output_fold.ts";
import { keptChars, keptInAllChars, OutputKeeper } from "../../lib/report/output_keeper.ts";

const at = { type: "step-output", atMs: 0, step: "1", stream: "stdout" } as const;

function fold() {
  const streamed: [string, string][] = [];
  return { streamed, outputs: new OutputFold((host, { text }) => streamed.push([host, text])) };
}

Deno.test("outputs are the same only if their streams are too", () => {
  const { outputs } = fold();
  outputs.push({ ...at, host: "a", text: "x\n" });
  outputs.push({ ...at, host: "b", text: "x\n", stream: "stderr" });
  outputs.push({ ...at, host: "c", text: "x" });
  for (const host of ["a", "b", "c"]) outputs.keep(host, "1", outputs.end(host, "1"));
  assertEquals(outputs.take("1").map(({ hosts }) => hosts), [["a", "c"], ["b"]]);
  assertEquals(outputs.take(), []);
});

Deno.test("what is too long to hold back is streamed, in order, and not told again", () => {
  const { outputs, streamed } = fold();
  const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}`);
  outputs.push({ ...at, host: "a", text: lines.join("\n") });
  assertEquals(outputs.end("a", "1"), []);
  assertEquals(streamed.map(([, text]) => text), lines);
});

Deno.test("more than is wanted in memory is told to be taken out", () => {
  const { outputs } = fold();
  let full = 0;
  for (let i = 0; i < 100; i++) {
    outputs.push({ ...at, host: `h${i}`, text: `${i}${"x".repeat(60_000)}\n` });
    if (outputs.keep(`h${i}`, "1", outputs.end(`h${i}`, "1"))) {
      full++;
      outputs.take();
    }
  }
  assertEquals(full, 1);
});

Deno.test("every line that was pushed comes out once, whatever the pieces", () => {
  const line = fc.string({ unit: fc.constantFrom("a", "b", " ", "é") });
  fc.assert(fc.property(fc.array(line, { maxLength: 30 }), fc.nat(20), (texts, cut) => {
    const { outputs, streamed } = fold();
    const all = texts.map((text) => `${text}\n`).join("");
    for (const piece of [all.slice(0, cut), all.slice(cut)]) outputs.push({ ...at, host: "a", text: piece });
    const lines: readonly OutputLine[] = outputs.end("a", "1");
    assertEquals([...streamed.map(([, text]) => text), ...lines.map(({ text }) => text)], texts);
  }));
});

Deno.test("a kept output has its beginning, its end, and a note of what was left out between", () => {
  const keeper = new OutputKeeper();
  const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
  keeper.push("a", "stdout", `${lines.join("\n")}\n`);
  const kept = keeper.end("a", true)!;
  const [head, note, tail] = kept.pieces;
  assertEquals(kept.pieces.length, 3);
  assert(head.text.length <= keptChars && tail.text.length <= keptChars);
  const shown = [...head.text.split("\n"), ...tail.text.split("\n")];
  assertEquals(note, { stream: "note", text: `${lines.length - shown.length} lines left out here` });
  assertEquals([shown[0], shown.at(-1)], ["line 0", "line 4999"]);
});

Deno.test("kept outputs are bounded together: of what went well only the end is kept then", () => {
  const keeper = new OutputKeeper();
  let chars = 0;
  for (let i = 0; i < 2000; i++) {
    keeper.push(`${i}`, "stdout", `${i}\n${"some text\n".repeat(3000)}last of ${i}\n`);
    const kept = keeper.end(`${i}`, true)!;
    assertEquals(kept.pieces.at(-1)!.text.endsWith(`last of ${i}`), true);
    chars += kept.pieces.reduce((sum, { text }) => sum + text.length, 0);
  }
  assert(chars < keptInAllChars + 2000 * 1000, `${chars}`);
  keeper.push("bad", "stderr", `${"why it failed\n".repeat(500)}`);
  assertEquals(keeper.end("bad", false)!.pieces.length, 1);
});

Deno.test("the same output is kept once", () => {
  const keeper = new OutputKeeper();
  const [a, b] = ["a", "b"].map((id) => {
    keeper.push(id, "stdout", "same\n");
    return keeper.end(id, true);
  });
  assert(a === b && a !== undefined);
});
