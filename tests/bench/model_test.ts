import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { markdownTable, paragraph, replaceBetween } from "../../bench/model_markers.ts";
import type { ModelLine } from "../../bench/model_measure.ts";
import { comparisonTable, predictionsOff, scaleTable } from "../../bench/model_text.ts";
import { CarpoolError } from "../../lib/base/errors.ts";

const line = (
  points: readonly (readonly [rttMs: number, predictedMs: number, measuredMs: number])[],
): ModelLine => ({
  id: "login",
  title: "an operation",
  roundTrips: 2,
  bytesUp: 1000,
  bytesDown: 2000,
  localMs: 5,
  localAtRttMs: 0,
  stallMs: 0,
  points: points.map(([rttMs, predictedMs, measuredMs]) => ({
    rttMs,
    pingMs: rttMs,
    measuredMs,
    predictedMs,
    roundsMs: [measuredMs],
  })),
});

Deno.test("a prediction that is off by more than a tenth is named, one that is off by less is not", () => {
  assertEquals(predictionsOff([line([[0, 5, 5], [25, 55, 51], [50, 105, 90]])]), [
    "an operation, RTT 50: +17 %",
  ]);
  assertEquals(predictionsOff([line([[50, 80, 100]])]), ["an operation, RTT 50: -20 %"]);
});

Deno.test("where the local time was taken nothing is predicted, nor below", () => {
  const tree = { ...line([[0, 100, 300], [25, 350, 350], [50, 600, 590]]), localAtRttMs: 25 };
  assertEquals(predictionsOff([tree]), []);
  assertStringIncludes(comparisonTable([tree]), "| 300.0 | 350.0 (taken) | 600 / 590, +2 % |");
});

Deno.test("the comparison shows predicted, measured and how far off", () => {
  assertStringIncludes(comparisonTable([line([[0, 5, 5], [50, 105, 100]])]), "105 / 100, +5 %");
});

Deno.test("the table for fleets says what no result has", () => {
  const connection = { loginCpuMs: 10, keepaliveBytesUp: 52, keepaliveBytesDown: 28 };
  const nothing = {
    firstMB: undefined,
    furtherMB: undefined,
    idlePercent: undefined,
    execCpuMs: undefined,
    hosts: 0,
  };
  const text = scaleTable([line([[0, 5, 5]])], connection, nothing);
  assertStringIncludes(text, "no result");
  const known = { firstMB: 60, furtherMB: 0.2, idlePercent: 0.001, execCpuMs: 1, hosts: 100 };
  const table = scaleTable([line([[0, 5, 5]])], connection, known);
  assertEquals(table.includes("no result"), false);
  assertStringIncludes(table, "260 MB"); // 60 + 999 × 0.2
});

Deno.test("text goes between its markers and nowhere else, and can be replaced again", () => {
  const document = "before\n<!-- a: by x -->\nold\n<!-- /a -->\nafter\n<!-- b: by x -->\n<!-- /b -->\n";
  const once = replaceBetween(document, "a", "new $& text");
  assertEquals(
    once,
    "before\n<!-- a: by x -->\n\nnew $& text\n\n<!-- /a -->\nafter\n<!-- b: by x -->\n<!-- /b -->\n",
  );
  assertEquals(replaceBetween(once, "a", "new $& text"), once);
  assertThrows(() => replaceBetween(document, "c", "x"), CarpoolError, '0 places for "c"');
  assertThrows(() => replaceBetween(document + document, "a", "x"), CarpoolError, '2 places for "a"');
});

Deno.test("a table of Markdown is as deno fmt would have it", () => {
  assertEquals(
    markdownTable([["a", "b"], ["long name", "12.5"]]),
    [
      "| a         |    b |",
      "| --------- | ---: |",
      "| long name | 12.5 |",
    ].join("\n"),
  );
});

Deno.test("a paragraph is broken where a word would pass the width", () => {
  assertEquals(paragraph("one two  three\nfour", 8), "one two\nthree\nfour");
  assertEquals(paragraph("averyverylongword x", 8), "averyverylongword\nx");
});
