import { assertEquals, assertRejects } from "@std/assert";
import { JobFileError, TargetError, UsageError } from "../../lib/base/errors.ts";
import { findHosts, type FindHostsOptions, optionsFor } from "../../lib/job/find_hosts.ts";
import type { InventoryContent } from "../../lib/job/inventory_content.ts";
import { Inventory } from "../../lib/job/inventory.ts";
import { loadInventory } from "../../lib/job/load_inventory.ts";
import type { TargetOptions } from "../../lib/target/target.ts";

const none = { vars: {}, options: {} };

const group = (...items: string[]) => ({
  ...none,
  members: [{ kind: "pattern", text: items.join(",") } as const],
});

const inventory = new Inventory({
  file: "inventory.yaml",
  groups: new Map([
    ["web", group("web1", "web[2-3]")],
    ["db", group("deploy@db1:2222", "db")],
    ["every", group("web", "db", "extra")],
    ["rest", group("!web")],
    ["canary", group("web,!web[2-3]", "extra")],
  ]),
  hosts: new Map(),
  isAnsible: false,
});

Deno.test("groups are unfolded in order, each host once", () => {
  assertEquals(inventory.group("web"), ["web1", "web2", "web3"]);
  assertEquals(inventory.group("every"), ["web1", "web2", "web3", "deploy@db1:2222", "db", "extra"]);
  assertEquals(inventory.group("canary"), ["web1", "extra"]);
  assertEquals(inventory.group("all"), ["web1", "web2", "web3", "deploy@db1:2222", "db", "extra"]);
  assertEquals(inventory.group("rest"), ["deploy@db1:2222", "db", "extra"]);
  assertEquals(inventory.group("nobody"), undefined);
});

Deno.test("a host knows its groups, the widest first", () => {
  assertEquals(inventory.entry("web1", "every"), {
    host: "web1",
    group: "every",
    groups: ["every", "canary", "web"],
    vars: {},
    options: {},
  });
  assertEquals(inventory.entry("elsewhere", undefined), { host: "elsewhere", group: undefined });
});

async function inventoryOf(
  text: string,
  options: { named?: boolean; name?: string } = {},
): Promise<InventoryContent> {
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

/** What patterns come to with an inventory of this text. */
async function find(text: string, items: string | readonly string[], options: FindHostsOptions = {}) {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/inventory.yaml`, text);
    return await findHosts(items, { cwd, configFile: "none", ...options });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

const fleet = `
vars: { env: live, level: 0 }
groups:
  web:
    hosts: ["web[01-04]"]
    vars: { role: web, level: 1 }
    user: deploy
    port: 2222
  db:
    hosts:
      db1: { user: postgres, identityFile: ~/.ssh/db, vars: { level: 3 } }
      "db[2-3]":
  europe:
    children:
      berlin: [web01, db1]
      paris: { hosts: [web02], vars: { city: Paris, level: 2 } }
    vars: { region: eu, city: unknown }
    proxyJump: gate
  oldest: ["@web&@berlin"]
  america: { children: [overseas] }
  overseas: [web04]
hosts:
  web01: { hostName: 10.0.0.1, vars: { first: true } }
  lonely: { port: 2200 }
`;

const namesOf = async (items: string | readonly string[], options?: FindHostsOptions) =>
  (await find(fleet, items, options)).map(({ host }) => host).join(" ");

Deno.test("an inventory file gives groups as lists, as maps, and inside each other", async () => {
  assertEquals(await namesOf("web"), "web01 web02 web03 web04");
  assertEquals(await namesOf("@db"), "db1 db2 db3");
  assertEquals(await namesOf("europe"), "web01 db1 web02");
  assertEquals(await namesOf("@paris,@oldest"), "web02 web01");
  assertEquals(await namesOf("america"), "web04");
  assertEquals(await namesOf("all"), "web01 web02 web03 web04 db1 db2 db3 lonely");
  assertEquals(await namesOf(["web", "!web0[2-4]"]), "web01");
  assertEquals(await namesOf("@web&@europe"), "web01 web02");
  assertEquals(await namesOf("!web"), "db1 db2 db3 lonely");
  assertEquals(await namesOf("web*,lone*"), "web01 web02 web03 web04 lonely");
  const { groups } = await inventoryOf("groups:\n  one: solo\n  none:\n");
  assertEquals([...groups.keys()], ["one", "none"]);
});

Deno.test("a host's variables and options are its groups', the widest first, then its own", async () => {
  const [web01, web02, db1, lonely] = await find(fleet, "web01,web02,db1,lonely");
  assertEquals(web01, {
    host: "web01",
    group: undefined,
    groups: ["web", "europe", "oldest", "berlin"].toSorted((a, b) =>
      web01!.groups!.indexOf(a) - web01!.groups!.indexOf(b)
    ),
    vars: { env: "live", level: 1, role: "web", region: "eu", city: "unknown", first: true },
    options: { user: "deploy", port: 2222, proxyJump: "gate", hostName: "10.0.0.1" },
  });
  assertEquals(web01!.groups!.at(-1) === "oldest" || web01!.groups!.at(-1) === "berlin", true);
  assertEquals(web02!.vars, { env: "live", level: 2, role: "web", region: "eu", city: "Paris" });
  assertEquals(db1!.vars, { env: "live", level: 3, region: "eu", city: "unknown" });
  assertEquals(db1!.options, { user: "postgres", identityFile: "~/.ssh/db", proxyJump: "gate" });
  assertEquals(lonely, {
    host: "lonely",
    group: undefined,
    groups: [],
    vars: { env: "live", level: 0 },
    options: { port: 2200 },
  });
});

Deno.test("a typed user and port win over the inventory's, an option given here over both", async () => {
  const [typed] = await find(fleet, "root@web01");
  assertEquals(typed!.options, { user: undefined, port: 2222, proxyJump: "gate", hostName: "10.0.0.1" });
  assertEquals(typed!.vars!.first, true);
  const [port] = await find(fleet, "web01:22");
  assertEquals([port!.options!.user, port!.options!.port], ["deploy", undefined]);
  const [plain] = await find(fleet, "web01");
  assertEquals(optionsFor<TargetOptions>(plain!, { user: "me", port: undefined, configLines: ["A=1"] }), {
    ...{ user: "me", port: 2222, proxyJump: "gate", hostName: "10.0.0.1", configLines: ["A=1"] },
  });
});

Deno.test("--limit keeps those it names, --exclude drops them", async () => {
  assertEquals(await namesOf("web", { limit: "@europe" }), "web01 web02");
  assertEquals(await namesOf("web", { limit: "web01,web03" }), "web01 web03");
  assertEquals(await namesOf("web", { limit: "!web01" }), "web02 web03 web04");
  assertEquals(await namesOf("web", { exclude: "web01,@paris" }), "web03 web04");
  assertEquals(await namesOf("all", { limit: "europe", exclude: ["db*", "web02"] }), "web01");
  assertEquals(await namesOf("root@web01,web02", { exclude: "web01" }), "web02");
});

Deno.test("a mistake in --limit or --exclude leaves nobody out in silence", async () => {
  await assertRejects(() => find(fleet, "web", { exclude: "web1" }), UsageError, "did you mean web01?");
  await assertRejects(() => find(fleet, "web", { limit: "bd1" }), UsageError, "did you mean db1?");
  await assertRejects(() => find(fleet, "web", { limit: "@erope" }), TargetError, "did you mean @europe?");
  await assertRejects(
    () => find(fleet, "web", { limit: "db1" }),
    UsageError,
    "none of the 4 hosts of web is left",
  );
});

Deno.test("a host that cannot be one is told before anything is contacted", async () => {
  await assertRejects(() => find(fleet, "web01,a b"), TargetError, "the host name contains");
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
    "an unknown option",
    "groups:\n  db: { hosts: [x], prot: 22 }\n",
    'inventory.yaml:2:21: unknown key "prot"; did you mean "port"?',
  ],
  [
    "a bad option of a host",
    "hosts:\n  db1: { port: ssh }\n",
    'inventory.yaml:2:16: found "ssh" for "port"; allowed here: a port from 1 to 65535',
  ],
  [
    "a misspelt option of a host in a group",
    "groups:\n  db:\n    hosts:\n      db1: { usr: x }\n",
    'inventory.yaml:4:14: unknown key "usr"; did you mean "user"?',
  ],
  [
    "a bad range",
    "groups:\n  db: [a, 'db[3-1]']\n",
    'inventory.yaml:2:11: "db[3-1]": the range 3-1 runs backwards',
  ],
  [
    "an unknown child",
    "groups:\n  db: { children: [dbb, bd] }\n",
    'inventory.yaml:2:20: there is no group "dbb"; did you mean db?',
  ],
  [
    "an unknown @group",
    "groups:\n  db: [a]\n  x: ['@bd']\n",
    'inventory.yaml:3:7: there is no group "bd"; did you mean db?',
  ],
  [
    "a group twice",
    "groups:\n  a: { children: { b: [x] } }\n  b: [y]\n",
    'inventory.yaml:3:3: the group "b" for the second time',
  ],
  [
    "settings of a group among hosts",
    "hosts:\n  '@db': { port: 1 }\n",
    'inventory.yaml:2:3: found "@db", where settings are given to a host',
  ],
  ["wildcards in a circle", "groups:\n  a: ['@b*']\n  b: ['@a*']\n", "contains itself: a > b > a"],
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
  await assertRejects(
    () => inventoryOf("web: {}\nx: 1\n", { named: true }),
    JobFileError,
    'unknown key "web"',
  );
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
