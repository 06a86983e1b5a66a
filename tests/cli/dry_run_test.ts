import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { KeeperWorld } from "../master/keeper_world.ts";

const task = `
hosts: [test]
vars:
  port: 80
  password: { value: hunter2, secret: true }
steps:
  - exec: echo made > made
    creates: made
  - exec: echo listed > listed
    unless: grep -q here listed-there
  - template: site.conf
    to: site.conf
  - copy: dist/
    to: app
    exclude: "*.map"
  - copy: one.txt
    to: app
  - exec: never
    when: port > 100
  - exec: echo {{ password }}
`;

async function world(): Promise<KeeperWorld> {
  const made = await KeeperWorld.make();
  await made.home.write("tasks/shop.yaml", task);
  await made.home.write("site.conf", "listen {{ port }}\npassword {{ password }}\n");
  await made.home.write("tasks/site.conf", "listen {{ port }}\npassword {{ password }}\n");
  await made.home.write("dist/index.html", "<h1>New</h1>\nsame\n");
  await made.home.write("dist/logo.png", "\x00png");
  await made.home.write("dist/same.txt", "same\n");
  await made.home.write("dist/index.map", "stays here\n");
  await made.home.write("one.txt", "one\n");
  return made;
}

/** Files on the host, as they are. */
function remoteFiles({ sshd }: KeeperWorld): string[] {
  return [...Deno.readDirSync(sshd.home)].map(({ name }) => name).sort();
}

/** Files on the host before the run. */
async function prepare({ sshd }: KeeperWorld): Promise<void> {
  await Deno.mkdir(join(sshd.home, "app"));
  const files = {
    "made": "",
    "site.conf": "listen 79\npassword old\n",
    "app/index.html": "<h1>Old</h1>\nsame\n",
    "app/logo.png": "\x00old",
    "app/same.txt": "same\n",
  };
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(sshd.home, name), text);
}

Deno.test("plan tells what would be skipped and why, and contacts nobody", async () => {
  await using made = await world();
  const { code, stdout, stderr } = await made.run(["plan", "shop", "-F", made.configFile], {
    cwd: made.home.path,
  });
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "  1 exec echo made > made\n    [skipped where made exists]\n");
  assertStringIncludes(stdout, "  6 exec never\n    skipped: when: port > 100 is false\n");
  assertStringIncludes(stdout, "  7 exec echo ***\n");
  assertEquals([made.sshd.connections(), remoteFiles(made)], [0, []]);
});

Deno.test("dry run says what plan says", async () => {
  await using made = await world();
  const outputs = await Promise.all(
    [["plan", "shop"], ["run", "shop", "--dry-run"]].map((args) =>
      made.run([...args, "-F", made.configFile], { cwd: made.home.path })
    ),
  );
  assertEquals(outputs[1].stdout, outputs[0].stdout);
  assertEquals(outputs.map(({ code }) => code), [0, 0]);
  assertEquals(made.sshd.connections(), 0);
});

Deno.test("dry run asks guards on the hosts when told to, and changes nothing there", async () => {
  await using made = await world();
  await prepare(made);
  const before = remoteFiles(made);
  const args = ["run", "shop", "--dry-run", "--check-guards", "-F", made.configFile, "--output", "json"];
  const { code, stdout, stderr } = await made.run(args, { cwd: made.home.path });
  assertEquals([code, stderr], [0, ""]);
  const [{ steps }] = JSON.parse(stdout).hosts as [{ steps: { would: string; why?: string }[] }];
  assertEquals(steps.slice(0, 2).map(({ would, why }) => [would, why]), [
    ["skip", "made exists"],
    ["run", "grep -q here listed-there fails"],
  ]);
  assertEquals(remoteFiles(made), before);
});

Deno.test("dry run shows as a unified diff what copies and templates would change, and no secret", async () => {
  await using made = await world();
  await prepare(made);
  const args = ["plan", "shop", "--diff", "-F", made.configFile];
  const { code, stdout, stderr } = await made.run(args, { cwd: made.home.path });
  assertEquals([code, stderr], [0, ""]);
  const plain = stdout.split("\n").map((line) => line.trim()).join("\n");
  assertStringIncludes(
    plain,
    "--- site.conf\n+++ site.conf\n@@ -1,2 +1,2 @@\n-listen 79\n-password old\n+listen 80\n+password ***\n",
  );
  assertStringIncludes(plain, "@@ -1,2 +1,2 @@\n-<h1>Old</h1>\n+<h1>New</h1>\nsame\n");
  assertStringIncludes(plain, "app/logo.png: binary, and differs\n");
  assertStringIncludes(plain, "1 of 3 files are as they would be\n");
  assertStringIncludes(plain, "--- /dev/null\n+++ app/one.txt\n@@ -0,0 +1,1 @@\n+one\n");
  assertEquals(stdout.includes("hunter2"), false);
});

Deno.test("dry run says why a guarded step would run, and which guards it could not ask", async () => {
  await using made = await KeeperWorld.make();
  await made.home.write(
    "tasks/guards.yaml",
    `hosts: [test]
steps:
  - exec: one
    creates: made
  - exec: two
    creates: made
    unless: test -e other
    when: later.ok
  - exec: three
    register: later
  - exec: four
    creates: made
    user: someone
`,
  );
  const { code, stdout, stderr } = await made.run(
    ["plan", "guards", "--check-guards", "-F", made.configFile],
    { cwd: made.home.path },
  );
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "  1 exec one\n    runs: made does not exist\n");
  assertStringIncludes(stdout, "[when later.ok; made does not exist; test -e other fails]\n");
  assertStringIncludes(stdout, "    not asked: its guard is asked as someone, in the run only\n");
});

Deno.test("diff tells of a copy and a template whose directory is not there that they would fail", async () => {
  await using made = await KeeperWorld.make();
  await made.home.write(
    "tasks/gone.yaml",
    `hosts: [test]
steps:
  - copy: small
    to: gone/small
  - copy: small
    to: new/
  - copy: dist/
    to: gone/deep/app
  - template: small
    to: gone/small
  - copy: small
    to: there/small
  - template: small
    to: ~/small
  - copy: dist/
    to: fresh
  - template: small
    to: fresh/small
`,
  );
  await made.home.write("small", "small\n");
  await made.home.write("tasks/small", "small\n");
  await made.home.write("dist/a", "a\n");
  await Deno.mkdir(join(made.sshd.home, "there"));
  const options = { cwd: made.home.path };
  const { code, stdout, stderr } = await made.run(["plan", "gone", "--diff", "-F", made.configFile], options);
  assertEquals([code, stderr], [0, ""]);
  const told = stdout.split("\n").filter((line) => /^ {2}\d|FAILS/.test(line)).map((line) => line.trim());
  const fails = (directory: string) =>
    `FAILS unless an earlier step makes the directory ${directory}: it is not there`;
  assertEquals(told.map((line) => line.replace(/^\d .*/, (step) => step[0])), [
    ...["1", fails("gone"), "2", "3", fails("gone/deep"), "4", fails("gone"), "5", "6"],
    // What a copy of this plan makes is there for the steps behind it.
    ...["7", "8"],
  ]);
  const json = await made.run(
    ["run", "gone", "--diff", "--dry-run", "--output", "json", "-F", made.configFile],
    options,
  );
  const [{ steps }] = JSON.parse(json.stdout).hosts as [{ steps: { diff: { missing?: string } }[] }];
  assertEquals(steps.map(({ diff }) => diff.missing), [
    "gone",
    undefined,
    "gone/deep",
    "gone",
    ...[undefined, undefined, undefined, undefined],
  ]);
});

Deno.test("plan tells what follows a failure, and when the run stops", async () => {
  await using made = await KeeperWorld.make();
  await made.home.write(
    "tasks/back.yaml",
    `hosts: [test]
strategy: { maxFailures: 0, maxUnreachable: 25% }
vars: { password: { value: hunter2, secret: true } }
steps:
  - exec: switch
    onFailure:
      - name: roll back
        exec: |
          back one
          back two
      - exec: login {{ password }}
        secret: true
`,
  );
  const { code, stdout } = await made.run(["plan", "back", "-F", made.configFile], { cwd: made.home.path });
  assertEquals(code, 0);
  assertEquals(stdout.split("\n"), [
    "back (tasks/back.yaml): 1 host, 1 step; 1 at once, stops at the first failed, stops beyond 25% unreachable",
    ...["", "test", "  1 exec switch", "    if it fails: roll back: exec back one", "    back two"],
    ...["    if it fails: exec (secret)", ""],
  ]);
});

Deno.test("plan and dry run count hosts, steps and batches as the run does", async () => {
  await using made = await KeeperWorld.make({ hosts: ["127.0.0.1", "127.0.0.2", "127.0.0.3"] });
  await made.home.write(
    "tasks/counted.yaml",
    `hosts: ["test[1-3]"]
strategy: { batch: 70%, parallel: 5 }
before:
  - exec: echo first
steps:
  - parallel:
      - exec: echo one
      - exec: echo two
  - exec: never
    when: 1 > 2
finally:
  - exec: echo last
`,
  );
  const run = (...args: string[]) =>
    made.run([...args, "-F", made.configFile, "--no-share"], { cwd: made.home.path });
  const counted = /^counted.*: (3 hosts, 5 steps)/;
  for (const args of [["run", "counted"], ["plan", "counted"], ["run", "counted", "--dry-run"]]) {
    const { code, stdout, stderr } = await run(...args);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, counted);
    if (!args.includes("--dry-run")) continue;
    assertEquals(
      stdout.split("\n")[0],
      "counted (tasks/counted.yaml): 3 hosts, 5 steps; 2 at once, 2 batches of 2 (70%)",
    );
  }
});

Deno.test("diff of a file that is too large, or that cannot be read, says so", async () => {
  await using made = await KeeperWorld.make();
  await made.home.write(
    "tasks/big.yaml",
    "hosts: [test]\nsteps:\n  - copy: big\n    to: big\n  - copy: small\n    to: dir/small\n",
  );
  await made.home.write("big", "x".repeat(300_000));
  await made.home.write("small", "small\n");
  await Deno.mkdir(join(made.sshd.home, "dir"));
  await Deno.writeTextFile(join(made.sshd.home, "dir", "small"), "x");
  await Deno.chmod(join(made.sshd.home, "dir", "small"), 0);
  const { code, stdout } = await made.run(["plan", "big", "--diff", "-F", made.configFile], {
    cwd: made.home.path,
  });
  assertEquals(code, 0);
  assertStringIncludes(stdout, "big: too large to compare\n");
  assertStringIncludes(stdout, "dir/small: cannot be read (");
});

Deno.test("plan that was to ask a host it cannot reach says so, tells the rest, and ends with 4", async () => {
  await using made = await world();
  await made.sshd.stop();
  const args = ["plan", "shop", "--check-guards", "-F", made.configFile];
  const { code, stdout } = await made.run(args, { cwd: made.home.path });
  assertEquals(code, 4);
  assertStringIncludes(stdout, "  not asked: ");
  assertStringIncludes(stdout, "  7 exec echo ***\n");
});

Deno.test("dry run of a resumed run leaves out what is done", async () => {
  await using made = await KeeperWorld.make();
  await made.home.write(
    "tasks/two.yaml",
    "hosts: [test]\nsteps:\n  - exec: echo x >> one\n  - exec: test -e go\n",
  );
  const options = { cwd: made.home.path };
  assertEquals((await made.run(["run", "two", "-F", made.configFile], options)).code, 1);
  const { code, stdout } = await made.run(["run", "--resume", "--dry-run"], options);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "  1 exec echo x >> one\n    skipped: done in run ");
  assertStringIncludes(stdout, "  2 exec test -e go\n");
  assertEquals(await Deno.readTextFile(join(made.sshd.home, "one")), "x\n");
});
