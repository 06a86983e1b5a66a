import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { carpool } from "./carpool.ts";

const root = new URL("../..", import.meta.url).pathname;

/** Wrong use, and what its one line says. */
const wrong: readonly [readonly string[], string][] = [
  [["exce", "web1"], "exce: there is no such command; did you mean carpool exec?"],
  [["zzz"], "zzz: there is no such command; see carpool --help"],
  [["constructor"], "constructor: there is no such command"],
  [["exec"], "it needs a host"],
  [["exec", "web1"], "it needs a command"],
  [["exec", "web1", "--", " "], "it needs a command"],
  [
    ["exec", "--tiemout", "3", "web1", "--", "ls"],
    "--tiemout: there is no such option; did you mean --timeout?",
  ],
  [["exec", "-z", "web1", "ls"], "-z: there is no such option; see carpool exec --help"],
  [["exec", "-tz", "web1", "ls"], "-z (in -tz): there is no such option"],
  [["exec", "web1", "-p"], "-p: needs a value"],
  [["exec", "-p", "99999", "web1", "ls"], '--port: found "99999"; a whole number from 1 to 65535 is allowed'],
  [["exec", "-pssh", "web1", "ls"], '--port: found "ssh"'],
  [["exec", "-l", "a", "-l", "b", "web1", "ls"], "-l: was given twice"],
  [["exec", "--agent=yes", "web1", "ls"], "--agent: takes no value"],
  [["exec", "--timeout", "soon", "web1", "ls"], '--timeout: found "soon"'],
  [["exec", "--env", "A", "web1", "ls"], "--env A: NAME=VALUE is allowed"],
  [["exec", "-t", "a,b", "ls"], "a terminal is for one host"],
  [["hosts", "--output", "junit", "web1"], "--output junit: that is for run, exec and copy"],
  [["exec", "--output", "xml", "web1", "ls"], '--output: found "xml"; auto, lines, json or junit is allowed'],
  [["exec", "a;b", "ls"], 'the host name contains ";"'],
  [["exec", "web[3-1]", "ls"], "the range 3-1 runs backwards"],
  [["exec", "@web", "ls"], "@web: there is no inventory file"],
  [["run"], "it needs a task"],
  [["run", "uptme"], 'did you mean "uptime"?'],
  [["run", "nothing.yaml"], "nothing.yaml: no such file"],
  [["run", "uptime", "web1"], "one task at a time; name hosts with --hosts web1"],
  [["run", "uptime"], "it has no hosts"],
  [["plan", "uptime", "--parallel", "0", "--hosts", "a"], '--parallel: found "0"; a whole number from 1'],
  [["run", "uptime", "--inventory", "gone.yaml"], "Cannot use the inventory: gone.yaml: no such file"],
  [["copy", "a"], "it needs a source and a destination"],
  [["copy", "a", "b"], "both sides are on this machine"],
  [["copy", "web1:a", "web2:b"], "both sides are on hosts"],
  [["copy", "no such file", "web1:/x"], 'the local file "no such file" does not exist'],
  [["copy", "a", "ssh://web1/x"], "a URL is not a place to copy"],
  [["hosts"], "it needs a pattern"],
  [["masters", "web1"], "web1: it takes no such argument; for one host: carpool check web1"],
  [["masters", "--", "a", "b"], "a: it takes no such argument; see carpool masters --help"],
  [["check", "web1", "web2"], "web2: it takes no such argument; one host at a time"],
  [["stop", "web1", "--", "web2"], "web2: it takes no such argument; one host at a time"],
  [["exit", "web1", "web2"], "web2: it takes no such argument; one host at a time"],
  [["exit", "--all", "web1"], "web1: it takes no such argument; name a host, or say --all"],
  [["demo", "web1"], "web1: it takes no such argument; see carpool demo --help"],
  [["runs", "deploy"], "deploy: it takes no such argument; see carpool runs --help"],
  [["plan", "uptime", "web1"], "one task at a time; name hosts with --hosts web1"],
  [["doctor", "web1", "web2"], "web2: one host at a time"],
  [["bench", "web1", "web2"], "web2: it needs one host"],
  [["forward", "-L", "1:a:1", "web1", "web2"], "it needs one host"],
];

for (const [args, message] of wrong) {
  Deno.test(`carpool ${args.join(" ")} says what is wrong in one line and exits 2`, async () => {
    const { code, stdout, stderr } = await carpool(args, { cwd: root });
    assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], stderr);
    assert(stderr.startsWith("carpool: "), stderr);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("a bad task file is told with its place, exits 2, and contacts nobody", async () => {
  const cwd = await Deno.makeTempDir();
  await Deno.writeTextFile(`${cwd}/bad.yaml`, "hosts: [127.0.0.1]\nsteps:\n  - exec: ls\n    tiemout: 3\n");
  for (const command of ["run", "plan"]) {
    const { code, stdout, stderr } = await carpool([command, "bad.yaml"], { cwd });
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, 'bad.yaml:4:5: unknown key "tiemout"; did you mean "timeout"?');
  }
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("every command has a help of one screen", async () => {
  for (
    const args of [
      ["--help"],
      ["-h"],
      ["help", "exec"],
      ...["exec", "run", "plan", "copy", "hosts", "doctor"].map((c) => [c, "-h"]),
    ]
  ) {
    const { code, stdout, stderr } = await carpool(args);
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.split("\n");
    assert(lines.length <= 42 && lines.every((line) => line.length <= 105), args.join(" "));
    assertStringIncludes(stdout, "Example");
  }
});

Deno.test("carpool alone shows the help on standard error and exits 2", async () => {
  const { code, stdout, stderr } = await carpool([]);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "Usage: carpool <command>");
});

Deno.test("the version is that of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const { code, stdout } = await carpool(["--version"]);
  assertEquals([code, stdout.split(" ").slice(0, 2).join(" ")], [0, `carpool ${version}`]);
});

Deno.test("the plan tells hosts with the same steps together, and no value of a variable", async () => {
  const cwd = await Deno.makeTempDir();
  const text = `env: { TOKEN: hunter2 }
hosts: ["web[1-2]", db]
strategy: { batch: 50% }
steps:
  - name: stop
    exec: systemctl stop $APP
    env: { APP: shop }
    timeout: 30s
  - parallel:
      - exec: one
      - fetch: /var/log/x
        to: ./{host}.log
`;
  await Deno.writeTextFile(`${cwd}/a.yaml`, text);
  const { code, stdout } = await carpool(["plan", "./a.yaml"], { cwd });
  assertEquals(code, 0);
  assertEquals(stdout.replaceAll(cwd, "").split("\n").slice(0, 12), [
    "a (./a.yaml): 3 hosts, 3 steps; 1 at once, 3 batches of 1 (50%)",
    "",
    "web1",
    "  1 stop",
    "    exec systemctl stop $APP",
    "    [env TOKEN APP; timeout 30 s]",
    "  2 2 steps at once",
    "    2.1 exec one",
    "        [env TOKEN]",
    "    2.2 fetch /var/log/x to /web1.log",
    "",
    "web2",
  ]);
  const json = await carpool(["plan", "./a.yaml", "--output", "json"], { cwd });
  assertEquals(JSON.parse(json.stdout).hosts.map((host: { host: string }) => host.host), [
    "web1",
    "web2",
    "db",
  ]);
  assert(!(stdout + json.stdout).includes("hunter2"));
  await Deno.remove(cwd, { recursive: true });
});
