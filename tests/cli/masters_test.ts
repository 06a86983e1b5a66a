import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { KeeperWorld } from "../master/keeper_world.ts";

const FIELDS = [
  "host",
  "user",
  "port",
  "controlPath",
  "pid",
  "kind",
  "sessions",
  "startedAt",
  "lingersUntil",
  "rttMs",
];

async function json(world: KeeperWorld) {
  const r = await world.run(["masters", "--output", "json"]);
  assertEquals([r.code, r.stderr], [0, ""]);
  return JSON.parse(r.stdout);
}

Deno.test("carpool masters without a keeper says that there are none, and starts none", async () => {
  await using world = await KeeperWorld.make();
  assertEquals(await json(world), []);
  const r = await world.run(["masters"]);
  assertEquals([r.stdout, r.stderr, r.code], ["", "no masters\n", 0]);
  assertEquals([world.keeperPids(), world.sshd.connections()], [[], 0]);
});

Deno.test("carpool masters --output json tells every field of each master", async (t) => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect({ controlPersist: "1h" });
  const session = await host.spawn("read line");

  await t.step("while a session holds it", async () => {
    const [master, ...others] = await json(world);
    assertEquals(others, []);
    assertEquals(Object.keys(master), FIELDS);
    const { host: name, user, port, pid, kind, sessions, lingersUntil } = master;
    assertEquals([name, user, port], [world.sshd.host, world.sshd.user, world.sshd.port]);
    assertEquals([pid, kind, sessions, lingersUntil], [world.keeperPids()[0], "carpool", 1, null]);
    assert((await Deno.lstat(master.controlPath)).isSocket);
    assertEquals(new Date(master.startedAt).toISOString(), master.startedAt);
    assert(master.rttMs > 0);
  });

  await t.step("while it lingers", async () => {
    await session.stdin.close();
    await session.status;
    let [master] = await json(world);
    while (master.sessions > 0) [master] = await json(world);
    assertEquals(new Date(master.lingersUntil).toISOString(), master.lingersUntil);
    assert(Date.parse(master.lingersUntil) > Date.parse(master.startedAt));
  });
});

Deno.test("carpool masters shows a line for each, with what a person looks for", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.1", "127.0.0.2"] });
  for (const name of ["test1", "test2"]) {
    const r = await world.run(["open", "-F", world.configFile, "-o", "ControlPersist=1h", name]);
    assertEquals(r.code, 0, r.stderr);
  }
  const r = await world.run(["masters"]);
  const [heads, ...lines] = r.stdout.trimEnd().split("\n");
  assertMatch(heads, /^host .*kind .*pid .*age .*sessions .*leaves in .*rtt .*control path/);
  assertEquals(lines.length, 2);
  for (const [i, line] of lines.entries()) {
    const { hosts, port, user } = world.sshd;
    assert(line.startsWith(`${user}@${hosts[i]}:${port} `), line);
    assertMatch(line, / carpool +\d+ +\d+s +0 +60m +[\d.]+ ms +\/.*\.sock$/);
  }
});

Deno.test("carpool check, stop and exit speak to the master at -S, and to no other", async () => {
  await using world = await KeeperWorld.make();
  const path = join(world.home.path, "cm");
  const at = ["-F", world.configFile, "-S", path];
  assertEquals((await world.run(["open", "-F", world.configFile, "test"])).code, 0);
  for (const command of ["check", "stop", "exit"]) {
    assertEquals((await world.run([command, ...at, "test"])).code, 255);
  }
  assertEquals((await world.run(["open", ...at, "-M", "test"])).code, 0);
  assertEquals((await json(world)).length, 2);
  const check = await world.run(["check", ...at, "test"]);
  assertEquals(check.stdout, `Master running (pid=${world.keeperPids()[0]}), ${path}\n`);
  assertEquals((await world.run(["exit", ...at, "test"])).stdout, "Exit request sent.\n");
  while ((await json(world)).length > 1);
  assert((await json(world))[0].controlPath !== path);
});
