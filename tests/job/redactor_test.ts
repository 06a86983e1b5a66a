import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { Redactor } from "../../lib/job/redactor.ts";

Deno.test("a secret is taken out of text, in the spellings of shells, JSON and URLs", () => {
  const redactor = new Redactor([`it's "1"`]);
  for (const text of [`it's "1"`, `'it'\\''s "1"'`, `"it's \\"1\\""`, "it's%20%221%22"]) {
    assert(!redactor.text(`<${text}>`).includes("1"), text);
  }
  assertEquals(new Redactor(["abc", "abcdef"]).text("xabcdefx abcx"), "x***x ***x");
  assertEquals(new Redactor().text("as it is"), "as it is");
});

Deno.test("each line of a secret of several lines is a secret", () => {
  const redactor = new Redactor(["-----BEGIN\nAAAAB3Nza\nend!\n-----END"]);
  assertEquals(redactor.text("   AAAAB3Nza\n"), "   ***\n");
});

Deno.test("a secret that comes in pieces is taken out, and all else comes through", () => {
  const alphabet = fc.constantFrom("a", "b", "c", "\n");
  const words = fc.array(alphabet, { minLength: 1, maxLength: 5 }).map((one) => one.join(""));
  const secrets = fc.array(words.filter((word) => word.trim() === word && !word.includes("\n")), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(secrets, fc.array(fc.array(alphabet).map((one) => one.join(""))), (hidden, pieces) => {
      const redactor = new Redactor(hidden);
      const stream = redactor.stream();
      const told = pieces.map((piece) => stream.push(piece)).join("") + stream.end();
      assertEquals(told, redactor.text(pieces.join("")));
      for (const secret of hidden) assert(!told.includes(secret));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("an event keeps its names and loses its secrets", () => {
  const redactor = new Redactor(["hunter2"]);
  const at = { atMs: 1, host: "hunter2", step: "1" };
  assertEquals(redactor.event({ type: "step-start", ...at, kind: "exec", title: "login hunter2" }), {
    type: "step-start",
    ...at,
    kind: "exec",
    title: "login ***",
  });
});
