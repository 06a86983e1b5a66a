import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CarpoolError, JobFileError } from "../../lib/base/errors.ts";
import { findHosts, type FindHostsOptions } from "../../lib/job/find_hosts.ts";
import { TempHome } from "../support/temp_home.ts";
import { ansibleInventory } from "./ansible_program.ts";

const INI = `
# a comment
; another
lonely ansible_host=10.9.9.9
alpha:2201 note="two words" # behind it

[web]
web[01:12:3].example.com
db[a:c]-[1:2] rack=7
web-admin ansible_user=admin ansible_port=2299 # comment=no
[::1]:2022
2001:db8::7 v6=True
u@x:22

[db]
dbx ansible_ssh_private_key_file=/keys/db.pem flags="['a', 'b']" empty= quoted='"quoted"'
alpha

[europe:children]
web
db # with a comment

[asia:children]
tokyo

[tokyo]
tokyo1 level=9
web-admin

[web:vars]
ansible_user=deploy
port_text=0755
number=42
float=1.5
yes=True
nothing=None
text=some text with = and # sign
list=[1, 'two', {"three": 3.0}]
level=1
hash={'a': (1, 2), 3: None}
hex=0x1f
plus=+3
underscore=1_000
commented=5 # five

[europe:vars]
region=eu
level=0
ansible_ssh_common_args='-o ProxyJump=gate.example.com:2222 -o ServerAliveInterval=30'

[all:vars]
everywhere=1
level=-1

[zeta]
same1
[beta]
same1
[zeta:vars]
winner=zeta
[beta:vars]
winner=beta
[first]
same1
[first:vars]
winner=first
ansible_group_priority=0
`;

/** Hosts, groups and variables as \`ansible-inventory --list\` tells them. */
interface Listed {
  readonly hosts: Record<string, Record<string, unknown>>;
  readonly groups: Record<string, string[]>;
}

function listed(text: string): Listed {
  const { _meta: { hostvars }, ...written } = JSON.parse(text) as {
    readonly _meta: { readonly hostvars: Record<string, Record<string, unknown>> };
  } & Record<string, { readonly hosts?: string[]; readonly children?: string[] }>;
  const membersOf = (name: string): string[] => {
    const { hosts = [], children = [] } = written[name] ?? {};
    return [...hosts, ...children.flatMap(membersOf)];
  };
  const groups = Object.fromEntries(
    Object.keys(written).map((name) => [name, [...new Set(membersOf(name))].sort()]),
  );
  const hosts = Object.fromEntries(groups.all!.map((host) => [host, hostvars[host] ?? {}]));
  return { hosts, groups };
}

/** The same from our side, for the groups that Ansible knows. */
async function ours(inventory: string, groups: readonly string[]): Promise<Listed> {
  const options: FindHostsOptions = { inventory, configFile: "none" };
  const hosts: Record<string, Record<string, unknown>> = {};
  for (const { host, vars } of await findHosts("@all", options)) hosts[host] = { ...vars };
  const found: Record<string, string[]> = {};
  for (const group of groups) {
    found[group] = (await findHosts(`@${group}`, options)).map(({ host }) => host).sort();
  }
  return { hosts, groups: found };
}

async function assertSame(
  file: string,
  home: TempHome,
  args: readonly string[] = ["--list"],
): Promise<string> {
  const answer = await ansibleInventory(home.path, ["-i", file, ...args]);
  assert(answer.success, answer.stderr);
  const theirs = listed(answer.stdout);
  assertEquals(await ours(file, Object.keys(theirs.groups)), theirs);
  return answer.stdout;
}

Deno.test("an Ansible INI inventory means what ansible-inventory says it means", async () => {
  await using home = await TempHome.make();
  await assertSame(await home.write("hosts.ini", INI), home);
});

const values = [
  ...[
    "0xff",
    "1_0",
    "00",
    "0",
    "007",
    "1.e5",
    ".5",
    "-5",
    "-",
    "+",
    "(1,)",
    "(1)",
    "()",
    "[1,]",
    "[1",
    "{'a': 1,}",
  ],
  ..."12 34|1.2.3.4|10.0.0.0/8|True|true|None|TRUE|'a' 'b'|'it''s'|'a\\nb'|r'a\\nb'|\"x\" # c|x # c|# c|5days"
    .split("|"),
  ...["{{ a }}", "{'a': [1, {'b': None}]}", "'\\x41\\u00e9'", "u'text'", "1e3", "0b101", "0o17", "--1"],
];

Deno.test("values of an INI inventory are Python's literals, or text", async () => {
  await using home = await TempHome.make();
  const lines = values.map((value, i) => `v${i}=${value}\n`).join("");
  await assertSame(await home.write("hosts.ini", `h\n[all:vars]\n${lines}`), home);
  const quoted = values.filter((value) => !/['"\\#]/.test(value)).map((value, i) => `v${i}="${value}"`).join(
    " ",
  );
  await assertSame(await home.write("hosts.ini", `h ${quoted}\n`), home);
});

Deno.test("what ansible-inventory --list prints is read back, with --export too", async () => {
  await using home = await TempHome.make();
  const ini = await home.write("hosts.ini", INI);
  for (const args of [["--list"], ["--list", "--export"]]) {
    const { stdout } = await ansibleInventory(home.path, ["-i", ini, ...args]);
    const json = await home.write("hosts.json", stdout);
    const theirs = listed((await ansibleInventory(home.path, ["-i", ini, "--list"])).stdout);
    assertEquals(await ours(json, Object.keys(theirs.groups)), theirs, args.join(" "));
  }
});

Deno.test("an Ansible YAML inventory means what ansible-inventory says it means", async () => {
  await using home = await TempHome.make();
  const { stdout } = await ansibleInventory(home.path, [
    ...["-i", await home.write("hosts.ini", INI), "--list", "--yaml", "--export"],
  ]);
  await assertSame(await home.write("hosts.yaml", stdout), home);
  await assertSame(
    await home.write(
      "small.yaml",
      "all:\n  hosts:\n    web[01:03]: { a: 1 }\n    x:2222:\n  children:\n    g: { hosts: { x: { b: 2 } }, vars: { c: 3 } }\n",
    ),
    home,
  );
});

const SCRIPT = `#!/bin/sh
case "$1" in
--list) cat <<'END'
{ "web": { "hosts": ["web1", "web2"], "vars": { "role": "web", "level": 1 } },
  "eu": { "children": ["web", "db"], "vars": { "region": "eu", "level": 0 } },
  "db": ["db1"],
  "short": { "a": 1 }
  META }
END
;;
--host) case "$2" in web2) echo '{ "ansible_host": "10.0.0.2" }';; *) echo '{}';; esac ;;
*) exit 3 ;;
esac
`;

Deno.test("a program's inventory means what ansible-inventory says it means, with hosts' variables or without", async () => {
  await using home = await TempHome.make();
  for (
    const [name, meta] of [["old", ""], [
      "new",
      ', "_meta": { "hostvars": { "web2": { "a": [1] } } }',
    ]] as const
  ) {
    await assertSame(await home.write(name, SCRIPT.replace("META", meta), 0o700), home);
  }
});

Deno.test("a program may print a plain list of hosts", async () => {
  await using home = await TempHome.make();
  const inventory = await home.write("list", '#!/bin/sh\necho \'["web1", "db1"]\'\n', 0o700);
  assertEquals((await findHosts("all", { inventory })).map(({ host }) => host), ["web1", "db1"]);
});

const programMistakes: readonly (readonly [string, string, string])[] = [
  ["fails", "echo no cloud >&2; exit 7", "--list: it ended with status 7: no cloud"],
  ["prints no JSON", "echo 'web1'; echo x", "1:1: it is no JSON: Unexpected token 'w'; a map"],
  ["prints a number", "echo 7", "found the number 7; a map of groups, or a list of hosts, is allowed"],
  ["prints nothing", "true", "it is empty"],
  ["prints a list of numbers", 'echo \'{"web": {"hosts": [7]}}\'', "web.hosts[0]: found the number 7"],
];
for (const [what, script, message] of programMistakes) {
  Deno.test(`a program that ${what} is told`, async () => {
    await using home = await TempHome.make();
    const inventory = await home.write("program", `#!/bin/sh\n${script}\n`, 0o700);
    await assertRejects(() => findHosts("all", { inventory }), JobFileError, message);
  });
}

Deno.test("a program whose own program is not there is told", async () => {
  await using home = await TempHome.make();
  const inventory = await home.write("program", "#!/no/such/program\n", 0o700);
  const why = "program --list: the program that its #! line names is not there";
  await assertRejects(() => findHosts("all", { inventory }), JobFileError, why);
});

/** What both sides refuse; ours with a place. */
const refused: readonly (readonly [string, string])[] = [
  ["[web\nweb1\n", ':1:1: the host "[web": a [ has no ] after it'],
  ["[web servers]\nweb1\n", ':1:1: "[web servers]" is no section'],
  ["[web:vrs]\na=1\n", ":1:1: the section [web:vrs] is of no known kind; did you mean [web:vars]?"],
  [
    "[web]\nweb1\n[wbe:vars]\na=1\n",
    ':3:1: [wbe:vars] speaks of the group "wbe", which is not there; did you mean web?',
  ],
  ["[a:children]\nb\n", ':2:1: [a:children] speaks of the group "b"'],
  ["[web]\nweb1 web2\n", ':2:1: found "web2" behind a host'],
  ["[web]\nweb1 a='x\n", ":2:1: a quote is not closed"],
  ["[web]\nweb[1:\n", ':2:1: the host "web[1:"'],
  ["[web]\nweb[1:]\n", ':2:1: the host "web[1:]"'],
  ["[web]\nweb[01:100]\n", "has ends of different length"],
  ["[web]\nweb[c:a]\n", "the range c:a runs backwards"],
  ["[web]\nweb1:\n", ':2:1: the host "web1:" ends with a colon'],
  ["---\nweb1:\n", ":1:1: found ---"],
  ["[web:vars]\nno assignment\n[web]\n", ':2:1: found "no assignment" in a section of variables'],
  ["[a:children]\nb\n[b:children]\na\n", 'the group "a" contains itself: a > b > a'],
  ["[a:children]\nb c\n[b]\n", ':2:1: found "b c" among the children'],
];
for (const [text, message] of refused) {
  Deno.test(`an INI inventory ${JSON.stringify(text)} is refused with its place, as by Ansible`, async () => {
    await using home = await TempHome.make();
    const inventory = await home.write("hosts.ini", text);
    const error = await assertRejects(() => findHosts("all", { inventory }), JobFileError);
    assertStringIncludes(error.message, message);
    const { success, stdout, stderr } = await ansibleInventory(home.path, ["-i", inventory, "--list"]);
    const failed = !success || /Failed to parse|ERROR|Unable to parse/.test(stderr);
    assert(failed, stdout + stderr);
  });
}

Deno.test("Ansible's connection variables are how Carpool connects", async () => {
  await using home = await TempHome.make();
  const inventory = await home.write("hosts.ini", INI);
  const optionsOf = async (host: string) => (await findHosts(host, { inventory }))[0]!.options;
  const shared = { configLines: ["ServerAliveInterval=30"], proxyJump: "gate.example.com:2222" };
  assertEquals(await optionsOf("lonely"), { hostName: "10.9.9.9" });
  assertEquals(await optionsOf("alpha"), { port: 2201, ...shared });
  assertEquals(await optionsOf("web-admin"), { user: "admin", port: 2299, ...shared });
  assertEquals(await optionsOf("dbx"), { identityFile: "/keys/db.pem", ...shared });
  assertEquals(await optionsOf("::1"), { user: "deploy", port: 2022, ...shared });
  assertEquals(await optionsOf("root@web01.example.com"), { user: undefined, port: undefined, ...shared });
});

const args: readonly (readonly [string, Record<string, unknown>])[] = [
  ["ansible_ssh_common_args='-J gate -A -C -q'", { proxyJump: "gate", forwardAgent: true }],
  [
    `ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p -q gate" -o StrictHostKeyChecking=no'`,
    { proxyCommand: "ssh -W %h:%p -q gate", configLines: ["StrictHostKeyChecking=no"] },
  ],
  ["ansible_ssh_extra_args='-oPort=2222 -4'", { configLines: ["Port=2222"], addressFamily: "inet" }],
  ["ansible_ssh_args='-o ControlMaster=auto -o ControlPersist=60s'", {}],
  ["bastion=gate ansible_ssh_common_args='-J {{ bastion }}'", { proxyJump: "gate" }],
  ["ansible_host='{{ inventory_hostname }}.internal'", { hostName: "h.internal" }],
  ["ansible_ssh_user=old ansible_host=10.0.0.1", { user: "old", hostName: "10.0.0.1" }],
  ["ansible_host_key_checking=false ansible_timeout=7", { strictHostKeyChecking: false, connectTimeout: 7 }],
];
for (const [line, options] of args) {
  Deno.test(`Ansible's ${line} is understood`, async () => {
    await using home = await TempHome.make();
    const inventory = await home.write("hosts.ini", `h ${line}\n`);
    assertEquals((await findHosts("h", { inventory }))[0]!.options, options);
  });
}

const misunderstood: readonly (readonly [string, string])[] = [
  ["ansible_connection=winrm", 'h: ansible_connection: "winrm" is not ssh; leave it out: --exclude h'],
  ["ansible_port=ssh", 'h: ansible_port: "ssh" is no port'],
  ["ansible_host='{{ groups[0] }}'", "h: ansible_host"],
  ["ansible_user='{{ nobody }}'", "{{ nobody }} is no plain variable"],
  ["ansible_ssh_common_args='-W x:1'", "ssh's -W has no meaning here"],
  ["ansible_ssh_common_args='gate'", 'found "gate", which is no option of ssh'],
  ["ansible_ssh_common_args='-J'", "-J has no value"],
];
for (const [line, message] of misunderstood) {
  Deno.test(`Ansible's ${line} is refused where the host is wanted`, async () => {
    await using home = await TempHome.make();
    const inventory = await home.write("hosts.ini", `h ${line}\nother\n`);
    const error = await assertRejects(() => findHosts("h", { inventory }), CarpoolError);
    assertStringIncludes(error.message, message);
    assertEquals((await findHosts("other", { inventory })).length, 1);
  });
}

Deno.test("a JSON inventory with a mistake gets its line and column", async () => {
  await using home = await TempHome.make();
  const inventory = await home.write("hosts.json", '{\n  "web": ["web1",]\n}\n');
  await assertRejects(
    () => findHosts("web", { inventory }),
    JobFileError,
    `${join(home.path, "hosts.json")}:2:18`,
  );
});
