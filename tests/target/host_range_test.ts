import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { TargetError } from "../../lib/base/errors.ts";
import { expandHostRange } from "../../lib/target/host_range.ts";

const good: Record<string, string[]> = {
  "web": ["web"],
  "web[1-3]": ["web1", "web2", "web3"],
  "web[09-11].x": ["web09.x", "web10.x", "web11.x"],
  "web[098-101]": ["web098", "web099", "web100", "web101"],
  "[a,b,01-03]": ["a", "b", "01", "02", "03"],
  "r[1-2]-[a-c]": ["r1-a", "r1-b", "r1-c", "r2-a", "r2-b", "r2-c"],
  "u@web[1-2]:22": ["u@web1:22", "u@web2:22"],
  "web[7]": ["web7"],
  "web[5-5]": ["web5"],
  "db[blue-green]": ["dbblue-green"],
  "web[01-06:2]": ["web01", "web03", "web05"],
  "web[1-4:9,7]": ["web1", "web7"],
  "rack[a-e:2]": ["racka", "rackc", "racke"],
  "[1-3:2]x": ["1x", "3x"],
  "[::1]:22": ["[::1]:22"],
  "root@[fe80::1%eth0]": ["root@[fe80::1%eth0]"],
  "ssh://me@[2001:db8::1]:22/": ["ssh://me@[2001:db8::1]:22/"],
  "::1": ["::1"],
  "": [""],
};
for (const [pattern, hosts] of Object.entries(good)) {
  Deno.test(`host range ${JSON.stringify(pattern)} stands for ${hosts.length}`, () => {
    assertEquals(expandHostRange(pattern), hosts);
  });
}

const bad: Record<string, RegExp> = {
  "web[1-3": /no \] after/,
  "web1-3]": /no \[ before/,
  "web[]": /empty entry/,
  "web[1,,2]": /empty entry/,
  "web[3-1]": /backwards/,
  "web[c-a]": /backwards/,
  "web[1-3]]": /no \[ before/,
  "web[1 2]": /is no range/,
  "web[1:6]": /is no range/,
  "web[1-6:0]": /no whole number/,
  "web[1-6:]": /no whole number/,
  "web[ab-cd:2]": /is no range/,
  "web[1-100001]": /more than 100000 hosts/,
  "web[1-99999][1-2]": /more than 100000 hosts/,
  "[0-999999999][0-999999999][0-999999999]": /more than 100000 hosts/,
};
for (const [pattern, why] of Object.entries(bad)) {
  Deno.test(`host range ${pattern} is refused`, () => {
    const error = assertThrows(() => expandHostRange(pattern), TargetError);
    assertEquals([error.code, why.test(error.why!)], ["bad-host-pattern", true], error.message);
  });
}

Deno.test("host range of the largest size is expanded", () => {
  assertEquals(expandHostRange("web[00001-100000]").length, 100_000);
});

Deno.test("host range keeps text without brackets and throws nothing but TargetError", () => {
  const pieces = fc.constantFrom(
    "web",
    "[",
    "]",
    "1-3",
    "01-20",
    ",",
    "a-c",
    ":",
    "-",
    "999999999",
    ".x",
    " ",
  );
  fc.assert(fc.property(
    fc.oneof(fc.string(), fc.array(pieces, { maxLength: 10 }).map((words) => words.join(""))),
    (pattern) => {
      try {
        const hosts = expandHostRange(pattern);
        if (!/[[\]]/.test(pattern)) assertEquals(hosts, [pattern]);
      } catch (error) {
        assertInstanceOf(error, TargetError);
      }
    },
  ));
});
