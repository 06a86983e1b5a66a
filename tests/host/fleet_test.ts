import { assertEquals, assertThrows } from "@std/assert";
import { TargetError } from "../../lib/base/errors.ts";
import { fleet } from "../../mod.ts";

const hostsOf = (...args: Parameters<typeof fleet>) => fleet(...args).hosts.join(" ");

Deno.test("a fleet understands the patterns of the command line, over all its items", () => {
  assertEquals(hostsOf(["web[01-04],!web03", "db1"]), "web01 web02 web04 db1");
  assertEquals(hostsOf(["web[01-06:2]", "rack[a-c]", "!web03", "web01"]), "web01 web05 racka rackb rackc");
  assertEquals(hostsOf(["web[1-9]&web[5-12]!web7"]), "web5 web6 web8 web9");
  assertEquals(hostsOf([]), "");
});

Deno.test("a fleet's groups may be given in code, and be made of each other", () => {
  const groups = { web: "web[1-3]", db: ["db1", "db2"], eu: "@web,db1,!web3", odd: "odd" };
  assertEquals(hostsOf(["@eu"], { groups }), "web1 web2 db1");
  assertEquals(hostsOf(["web&eu", "odd"], { groups }), "web1 web2 odd");
  assertEquals(hostsOf(["!@web"], { groups }), "db1 db2 odd");
  assertThrows(() => fleet(["@wbe"], { groups }), TargetError, "did you mean @web?");
  assertThrows(() => fleet(["@web"]), TargetError, "there is no inventory file");
  assertThrows(() => fleet(["!web1"]), TargetError, "there is no inventory to begin with");
  assertThrows(() => fleet(["@a"], { groups: { a: "@b", b: "@a" } }), TargetError, "no such group");
});

Deno.test("a fleet takes hosts as findHosts gives them", () => {
  assertEquals(
    hostsOf([{ host: "web1", options: { port: 2222 } }, "web2", { host: "web1" }, "!web2"]),
    "web1",
  );
});
