import { assertEquals } from "@std/assert";
import { readConfigLine, splitArguments } from "../../lib/target/config_line.ts";

const lines: [string, [string, string[] | undefined] | undefined][] = [
  ["", undefined],
  ["   \t", undefined],
  ["# words", undefined],
  ["  # words", undefined],
  ["Port 22", ["port", ["22"]]],
  ["\tPORT=22", ["port", ["22"]]],
  ["Port = 22 \r", ["port", ["22"]]],
  ["Port\t22\f", ["port", ["22"]]],
  ['User "a b"', ["user", ["a b"]]],
  ["User 'a \"b'", ["user", ['a "b']]],
  ["User a\\ b", ["user", ["a b"]]],
  ["User a\\nb", ["user", ["a\\nb"]]],
  ['User "a\\"b"', ["user", ['a"b']]],
  ["Host a b # c", ["host", ["a", "b"]]],
  ["Host a#b", ["host", ["a#b"]]],
  ['Host ""', ["host", [""]]],
  ['User "open', ["user", undefined]],
  ["Port", ["port", []]],
  ['"Port" 22', ["port", ["22"]]],
  ["Foo==x", ["foo", ["=x"]]],
];
for (const [line, expected] of lines) {
  Deno.test(`config line ${JSON.stringify(line)} is split as OpenSSH splits it`, () => {
    const read = readConfigLine(line);
    assertEquals(read && [read.keyword, read.args], expected);
  });
}

Deno.test("the rest of a line keeps the quotes that are the shell's", () => {
  assertEquals(readConfigLine(`ProxyCommand sh -c "nc '%h'" # x`)?.rest, `sh -c "nc '%h'" # x`);
});

Deno.test("an open quote is told", () => assertEquals(splitArguments("a 'b"), undefined));
