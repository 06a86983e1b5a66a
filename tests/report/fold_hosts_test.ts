import { assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { foldHosts } from "../../lib/report/fold_hosts.ts";
import { withoutHost } from "../../lib/report/without_host.ts";
import { expandHostRange } from "../../lib/target/host_range.ts";

const cases: readonly [string, readonly string[], string][] = [
  ["a range", ["web1", "web2", "web3"], "web[1-3]"],
  ["leading zeros", ["web08", "web09", "web10"], "web[08-10]"],
  ["gaps", ["web1", "web3", "web4"], "web[1,3-4]"],
  ["no order", ["web3", "web1", "web2"], "web[1-3]"],
  ["several families", ["db", "web1", "web2", "cache7"], "db,web[1-2],cache7"],
  ["plain numbers beside padded ones", ["n9", "n10", "n001", "n002"], "n[9-10],n[001-002]"],
  ["addresses", ["10.0.0.1", "10.0.0.2"], "10.0.0.[1-2]"],
  ["domains and ports", ["d@web1.x:2222", "d@web2.x:2222"], "d@web[1-2].x:2222"],
  ["one name", ["web7"], "web7"],
  ["addresses in brackets", ["[::1]:22", "[::2]:22"], "[::1]:22,[::2]:22"],
];
for (const [what, names, expected] of cases) {
  Deno.test(`hosts fold with ${what}`, () => assertEquals(foldHosts(names), expected));
}

Deno.test("folded hosts are a pattern that gives the same hosts again", () => {
  const name = fc.tuple(
    fc.constantFrom("web", "db-", "10.0.0.", "u@h"),
    fc.nat(1200),
    fc.constantFrom(0, 2, 3, 4),
    fc.constantFrom("", ".example.com", "-x"),
  ).map(([prefix, number, width, suffix]) => `${prefix}${String(number).padStart(width, "0")}${suffix}`);
  fc.assert(fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 60 }), (names) => {
    // Commas outside of brackets part the patterns.
    const patterns = foldHosts(names).match(/(?:[^,[]|\[[^\]]*\])+/g)!;
    assertEquals(patterns.flatMap(expandHostRange).sort(), [...names].sort());
  }));
});

Deno.test("a message without its host is the same for all of them", () => {
  const messages = ["web1", "web2"].map((host) =>
    withoutHost(`Cannot connect: deploy@${host}:22: refused`, host)
  );
  assertEquals(messages, Array(2).fill("Cannot connect: deploy@…:22: refused"));
  assertEquals(withoutHost("at d@web1:2222, or web1", "d@web1:2222"), "at …, or …");
  assertEquals(withoutHost("a command failed", "a"), "a command failed");
});
