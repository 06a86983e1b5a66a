import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CarpoolError, JobFileError } from "../../lib/base/errors.ts";
import {
  emptyInventory,
  type Inventory,
  loadInventory,
  resolveHosts,
  splitItems,
} from "../../lib/job/inventory.ts";

const inventory: Inventory = {
  file: "inventory.yaml",
  groups: new Map([
    ["web", ["web1", "web[2-3]"]],
    ["db", ["deploy@db1:2222", "db"]],
    ["all", ["web", "db", "extra"]],
  ]),
};

/** Stands in for the ranges of lib/target/: enough to see that it is asked. */
const expand = (pattern: string) => pattern === "web[2-3]" ? ["web2", "web3"] : [pattern];

const names = (...items: string[]) => resolveHosts(items, inventory, expand).map(({ host }) => host);

Deno.test("hosts are unfolded in order, each once", () => {
  assertEquals(names("web"), ["web1", "web2", "web3"]);
  assertEquals(names("web3", "web"), ["web3", "web1", "web2"]);
  assertEquals(names("all"), ["web1", "web2", "web3", "deploy@db1:2222", "db", "extra"]);
  assertEquals(names("x,web2", "web[2-3],x"), ["x", "web2", "web3"]);
});

Deno.test("a host carries the group that named it", () => {
  const [first, second] = resolveHosts(["other", "all"], inventory, expand);
  assertEquals([first, second], [{ host: "other", group: undefined }, { host: "web1", group: "all" }]);
});

Deno.test("an @group that is not there gets the nearest name, a bare name is a host", () => {
  assertEquals(names("@web"), ["web1", "web2", "web3"]);
  assertEquals(names("wbe"), ["wbe"]);
  assertThrows(() => names("@wbe"), CarpoolError, "did you mean @web?");
  assertThrows(
    () => resolveHosts(["@web"], emptyInventory, expand),
    CarpoolError,
    "there is no inventory file",
  );
});

Deno.test("items are split at commas outside brackets", () => {
  assertEquals(splitItems("web[1-3,7], db1"), ["web[1-3,7]", "db1"]);
  assertThrows(() => splitItems(" , "), CarpoolError, "it names no host");
});

async function inventoryOf(
  text: string,
  options: { named?: boolean; name?: string } = {},
): Promise<Inventory> {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/${options.name ?? "inventory.yaml"}`, text);
    return await loadInventory({
      cwd,
      ...(options.named ? { inventory: options.name ?? "inventory.yaml" } : {}),
    });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.test("an inventory file gives its groups as lists or as maps with hosts", async () => {
  const { groups, file } = await inventoryOf(
    "groups:\n  web:\n    - web1\n    - web[01-20]\n  db: { hosts: [db1] }\n  one: solo\n",
  );
  assertEquals(file, "inventory.yaml");
  assertEquals([...groups], [["web", ["web1", "web[01-20]"]], ["db", ["db1"]], ["one", ["solo"]]]);
});

const bad: readonly [string, string, string][] = [
  ["a number for a host", "groups:\n  web: [web1, 3]\n", 'inventory.yaml:2:15: found the number 3 for "web"'],
  [
    "an unknown key",
    "groups:\n  db: { hsots: [x] }\n",
    'inventory.yaml:2:9: unknown key "hsots"; did you mean "hosts"?',
  ],
  ["a misspelt top", "gruops: {}\n", 'inventory.yaml:1:1: unknown key "gruops"; did you mean "groups"?'],
  ["a bad group name", "groups:\n  'a b': [x]\n", 'inventory.yaml:2:3: found the key "a b"'],
  [
    "a circle",
    "groups:\n  a: [b]\n  b: [c, a]\n",
    'inventory.yaml:2:3: the group "a" contains itself: a > b > a',
  ],
];
for (const [name, text, message] of bad) {
  Deno.test(`an inventory with ${name} gets its place`, async () => {
    await assertRejects(() => inventoryOf(text), JobFileError, message);
  });
}

Deno.test("an inventory.yaml of another program is left alone unless it is named", async () => {
  assertEquals((await inventoryOf("all: { hosts: { web1: } }\n")).groups.size, 0);
  await assertRejects(() => inventoryOf("all: {}\n", { named: true }), JobFileError, 'unknown key "all"');
});

Deno.test("an inventory that was named must be there, one that was not need not", async () => {
  await assertRejects(() => loadInventory({ inventory: "/nowhere/i.yaml" }), JobFileError, "no such file");
  assertEquals((await loadInventory({ cwd: "/nowhere" })).groups.size, 0);
});

Deno.test("the inventory beside the task file is taken before the one in the current directory", async () => {
  const cwd = await Deno.makeTempDir();
  await Deno.mkdir(`${cwd}/jobs`);
  await Deno.writeTextFile(`${cwd}/inventory.yaml`, "groups: { here: [x] }\n");
  await Deno.writeTextFile(`${cwd}/jobs/inventory.yaml`, "groups: { beside: [x] }\n");
  const groupsFor = async (taskFile: string) => [...(await loadInventory({ cwd, taskFile })).groups.keys()];
  assertEquals(await groupsFor("jobs/a.yaml"), ["beside"]);
  assertEquals(await groupsFor("tasks/a.yaml"), ["here"]);
  await Deno.remove(cwd, { recursive: true });
});
