import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { TargetError } from "../../lib/base/errors.ts";
import { type HostNames, hostsOf, noNames } from "../../lib/target/host_pattern.ts";

const groups: Record<string, readonly string[]> = {
  web: ["web1", "web2", "web3", "web4"],
  db: ["db1", "postgres@db2:2222"],
  berlin: ["web1", "web2", "db1"],
  canary: ["web2"],
};

const names: HostNames = {
  source: "inventory.yaml",
  group: (name) => Object.hasOwn(groups, name) ? groups[name] : undefined,
  groupNames: () => Object.keys(groups),
  all: () => new Set(Object.values(groups).flat()),
  known: () => [...new Set(Object.values(groups).flat()), "alias1"],
};

const meanings: readonly (readonly [string, string])[] = [
  ["web[01-04],!web03", "web01 web02 web04"],
  ["web[01-10:3]", "web01 web04 web07 web10"],
  ["rack[a-c]", "racka rackb rackc"],
  ["@web&@berlin", "web1 web2"],
  ["@web!@berlin", "web3 web4"],
  ["@web&!@berlin", "web3 web4"],
  ["@web,@db", "web1 web2 web3 web4 db1 postgres@db2:2222"],
  ["db,web", "db1 postgres@db2:2222 web1 web2 web3 web4"],
  ["web1,web1,web[1-2]", "web1 web2"],
  // & and ! between names bind tighter than the comma …
  ["web4,@web&@canary", "web4 web2"],
  ["web4,@web!@berlin", "web4 web3"],
  // … and behind a comma they are about everything before it.
  ["web4,@web,&@canary", "web2"],
  ["db1,@web,!@berlin", "web3 web4"],
  ["@web,!@berlin,web1", "web3 web4 web1"],
  ["@web!@berlin!web3", "web4"],
  ["@web&@berlin&@canary", "web2"],
  ["@web!(@berlin!@canary)", "web2 web3 web4"],
  ["(@web,@db)&@berlin", "web1 web2 db1"],
  ["((web1))", "web1"],
  // To the right a bare name stands for the host whatever the user and port.
  ["@db,!db2", "db1"],
  ["@db&db2", "postgres@db2:2222"],
  ["@db,!root@db2", "db1 postgres@db2:2222"],
  // A pattern that begins with taking away begins with everyone.
  ["!web", "db1 postgres@db2:2222"],
  ["&berlin", "web1 web2 db1"],
  ["!@web,!db1", "postgres@db2:2222"],
  // Wildcards are about what is known.
  ["web*", "web1 web2 web3 web4"],
  ["@*b", "web1 web2 web3 web4 db1 postgres@db2:2222"],
  ["alias*,!db1", "alias1"],
  ["db?", "db1 postgres@db2:2222"],
  ["web*,!web[2-3]", "web1 web4"],
  // Blanks and empty items say nothing.
  [" web1 , , db1 ", "web1 db1"],
  ["@web & @berlin", "web1 web2"],
  // Names that only look like more.
  ["root@[::1]:22,web1", "root@[::1]:22 web1"],
  ["web1!web9", "web1"],
];
for (const [pattern, hosts] of meanings) {
  Deno.test(`host pattern ${pattern} stands for ${hosts}`, () => {
    assertEquals([...hostsOf(pattern, names).keys()].join(" "), hosts);
  });
}

const mistakes: readonly (readonly [string, string])[] = [
  ["", '"": it names no host'],
  [" , ", "it names no host"],
  ["@wbe", "@wbe: inventory.yaml has no such group; did you mean @web?"],
  ["web1,(db1", "a ( has no ) after it (at character 10)"],
  ["web1)", "a ) has no ( before it (at character 5)"],
  ["web1 & , db1", "a name is missing (at character 8)"],
  ["web1!!db", "a name is missing (at character 6)"],
  ["@", "a name is missing"],
  ["(web1)db1", 'found "d", where , & or ! is allowed (at character 7)'],
  ["()", "there is nothing between ( and )"],
  ["nosuch*", '"nosuch*": it matches no known host'],
  ["web[3-1]", "runs backwards"],
  ["(".repeat(60), "nested too deeply"],
];
for (const [pattern, message] of mistakes) {
  Deno.test(`host pattern ${JSON.stringify(pattern.slice(0, 20))} is refused`, () => {
    assertThrows(() => hostsOf(pattern, names), TargetError, message);
  });
}

Deno.test("a host carries the group that brought it", () => {
  assertEquals([...hostsOf("other,web&canary,web1", names)], [
    ["other", undefined],
    ["web2", "web"],
    ["web1", undefined],
  ]);
});

Deno.test("without an inventory there is nothing that ! could take from", () => {
  assertThrows(() => hostsOf("!web1", noNames), TargetError, "there is no inventory to begin with");
  assertThrows(() => hostsOf("@web", noNames), TargetError, "there is no inventory file");
  assertEquals([...hostsOf("!web1", noNames, new Map([["web1", undefined], ["web2", undefined]])).keys()], [
    "web2",
  ]);
});

/** An expression and the set it must mean, by the plainest rules. */
type Sample = { readonly text: string; readonly set: ReadonlySet<number> };

Deno.test("host patterns mean what sets mean, however they are nested", () => {
  const atom = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 5 })).map((
    [from, more],
  ): Sample => ({
    text: `h[${from}-${from + more}]`,
    set: new Set(Array.from({ length: more + 1 }, (_, i) => from + i)),
  }));
  const { pattern } = fc.letrec<{ pattern: Sample; factor: Sample }>((tie) => ({
    factor: fc.oneof(
      { depthSize: "small" },
      atom,
      tie("pattern").map(({ text, set }) => ({ text: `(${text})`, set })),
    ),
    pattern: fc.array(
      fc.tuple(
        fc.constantFrom("", "!", "&"),
        tie("factor"),
        fc.array(fc.tuple(fc.constantFrom("!", "&", "&!"), tie("factor")), { maxLength: 2 }),
      ),
      { minLength: 1, maxLength: 3 },
    ).map((items) => {
      let set: ReadonlySet<number> = new Set<number>();
      const texts = items.map(([written, first, rest], i) => {
        const sign = i === 0 ? "" : written;
        let term = first.set;
        for (const [op, factor] of rest) {
          term = op === "&" ? term.intersection(factor.set) : term.difference(factor.set);
        }
        set = sign === "" ? set.union(term) : sign === "&" ? set.intersection(term) : set.difference(term);
        return sign + first.text + rest.map(([op, factor]) => op + factor.text).join("");
      });
      return { text: texts.join(","), set };
    }),
  }));
  fc.assert(fc.property(pattern, ({ text, set }) => {
    const found = [...hostsOf(text, noNames).keys()].map((host) => Number(host.slice(1)));
    assertEquals(found.sort((a, b) => a - b), [...set].sort((a, b) => a - b));
  }));
});

Deno.test("host patterns throw nothing but TargetError", () => {
  const pieces = fc.constantFrom(
    "web",
    "@web",
    "[1-3]",
    "[",
    "]",
    ",",
    "!",
    "&",
    "(",
    ")",
    "*",
    " ",
    "@",
    ":",
  );
  const text = fc.oneof(fc.string(), fc.array(pieces, { maxLength: 12 }).map((words) => words.join("")));
  fc.assert(fc.property(text, (pattern) => {
    try {
      hostsOf(pattern, names);
    } catch (error) {
      assertInstanceOf(error, TargetError);
    }
  }));
});
