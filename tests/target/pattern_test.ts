import { assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { matchesPattern, matchHostList, matchPatternList } from "../../lib/target/pattern.ts";

const cases: [string, string, boolean][] = [
  ["web1", "web1", true],
  ["web1", "web?", true],
  ["web", "web?", false],
  ["web1.example.org", "*.org", true],
  ["", "", true],
  ["", "*", true],
  ["x", "", false],
  ["abc", "a*c", true],
  ["abcbc", "a*bc", true],
  ["abcb", "a*bc", false],
  ["a*c", "a*c", true],
  ["a.c", "abc", false],
];
for (const [text, pattern, expected] of cases) {
  Deno.test(`pattern ${pattern} ${expected ? "matches" : "does not match"} ${JSON.stringify(text)}`, () => {
    assertEquals(matchesPattern(text, pattern), expected);
  });
}

Deno.test("pattern matching agrees with a regular expression", () => {
  const alphabet = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 }), alphabet, (text, pattern) => {
      const expression = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
      assertEquals(matchesPattern(text, pattern), expression.test(text));
    }),
  );
});

Deno.test("pattern made to run for ever ends at once", () => {
  assertEquals(matchesPattern("a".repeat(20_000), "*a".repeat(200) + "b"), false);
});

Deno.test("pattern list says no when a negated entry matches, whatever the order", () => {
  assertEquals(matchPatternList("a.x", "*.x,!a.*"), "no");
  assertEquals(matchPatternList("a.x", "!a.*,*.x"), "no");
  assertEquals(matchPatternList("b.x", "!a.*,*.x"), "yes");
  assertEquals(matchPatternList("b.y", "!a.*"), undefined);
  assertEquals(matchHostList("A.X", "a.x"), "yes");
});
