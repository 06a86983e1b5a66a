import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { LinkError, MasterError } from "../../lib/base/errors.ts";
import { gone, signalProcess } from "../support/processes.ts";
import { KeeperWorld, Scripted, until } from "./keeper_world.ts";

Deno.test("a keeper that was killed is replaced by one, with one new connection, whoever comes", async () => {
  await using world = await KeeperWorld.make();
  assertEquals((await world.exec("echo ran")).stdout, "ran\n");
  const [killed] = world.keeperPids();
  signalProcess(killed, "SIGKILL");
  await gone([killed]);
  assertEquals(world.sockets().length, 2); // dead ones
  const runs = await Promise.all(Array.from({ length: 20 }, (_, n) => world.exec(`echo ${n}`)));
  assertEquals(runs.map((r) => r.stdout + r.stderr), Array.from({ length: 20 }, (_, n) => `${n}\n`));
  assertEquals([world.keeperPids().length, world.sshd.connections()], [2, 2], world.logText());
});

Deno.test("a keeper that was killed under a host is replaced; what ran is unknown, what comes runs", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect();
  const session = await host.spawn("echo started; sleep 60");
  await session.stdout.getReader().read();
  const [killed] = world.keeperPids();
  signalProcess(killed, "SIGKILL");
  const status = await session.status;
  assertEquals([status.outcome, status.code], ["unknown", null]);
  const results = await Promise.all(Array.from({ length: 10 }, (_, n) => host.exec(`echo ${n}`)));
  assertEquals(results.map((r) => r.stdout), Array.from({ length: 10 }, (_, n) => `${n}\n`));
  assertEquals([world.keeperPids().length, world.sshd.connections()], [2, 2]);
});

Deno.test("a stopped keeper is found wedged and replaced; when it goes on it leaves the new one alone", async () => {
  await using world = await KeeperWorld.make();
  assertEquals((await world.exec("echo ran")).stdout, "ran\n");
  const [wedged] = world.keeperPids();
  signalProcess(wedged, "SIGSTOP");
  const hosts = await Promise.all(Array.from({ length: 5 }, () => world.connect()));
  const results = await Promise.all(hosts.map((host, n) => host.exec(`echo ${n}`)));
  assertEquals(results.map((r) => r.stdout), Array.from({ length: 5 }, (_, n) => `${n}\n`));
  const fresh = world.keeperPids().filter((pid) => pid !== wedged);
  assertEquals([fresh.length, world.sshd.connections()], [1, 2], world.logText());
  signalProcess(wedged, "SIGCONT");
  await world.log.waitFor(new RegExp(`\\[${wedged}\\] keeper ends`));
  assertEquals((await hosts[0].exec("echo still")).stdout, "still\n");
  assertEquals((await world.exec("echo new")).stdout, "new\n");
  assertEquals([world.keeperPids().length, world.sshd.connections()], [2, 2]);
  for (const host of hosts) await host.close();
});

Deno.test("a stopped keeper keeps no command waiting for ever, nor does it carpool masters", async () => {
  await using world = await KeeperWorld.make();
  assertEquals((await world.exec("echo ran")).stdout, "ran\n");
  signalProcess(world.keeperPids()[0], "SIGSTOP");
  const [masters, check] = await Promise.all([
    world.run(["masters"]),
    world.run(["check", "-F", world.configFile, "test"]),
  ]);
  assertMatch(masters.stderr, /the keeper did not answer within/);
  assertEquals([masters.code === 0, check.code], [false, 255]);
  const r = await world.exec("echo ran");
  assertEquals([r.stdout, r.stderr], ["ran\n", ""]);
});

Deno.test("a lost connection ends its master, and what comes next makes a new one", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect();
  assertEquals((await host.exec("echo one")).stdout, "one\n");
  await world.sshd.dropConnections();
  const results = await Promise.all(Array.from({ length: 10 }, (_, n) => host.exec(`echo ${n}`)));
  assertEquals(results.map((r) => r.stdout), Array.from({ length: 10 }, (_, n) => `${n}\n`));
  assertEquals([world.keeperPids().length, world.sshd.connections()], [1, 2]);
});

Deno.test("what cannot be a control socket at the path asked for is refused, and nothing is dialled", async (t) => {
  await using world = await KeeperWorld.make();
  const at = (controlPath: string) => world.connect({ controlPath });
  const refused = async (controlPath: string, why: RegExp, code: string) => {
    const error = await assertRejects(() => at(controlPath), MasterError);
    assertEquals([error.code, error.where, error.outcome], [code, controlPath, "not-started"]);
    assertMatch(error.message, why);
    const r = await world.exec("true", ["-S", controlPath]);
    assertEquals([r.code, r.stdout], [255, ""]);
    assertMatch(r.stderr, why);
    const open = await world.run(["open", "-F", world.configFile, "-M", "-S", controlPath, "test"]);
    assert(open.code !== 0);
    assertMatch(open.stderr, why);
    assertEquals([world.sshd.connections(), world.keeperPids()], [0, []]);
  };
  await t.step("an ordinary file", async () => {
    const path = await world.home.write("file", "precious");
    await refused(path, /there is something else than a socket/, "foreign-socket");
    assertEquals(await Deno.readTextFile(path), "precious");
  });
  await t.step("a directory", async () => {
    const path = join(world.home.path, "dir");
    await Deno.mkdir(path);
    await refused(path, /there is something else than a socket/, "foreign-socket");
  });
  await t.step("a socket that is open to others", async () => {
    const path = join(world.home.path, "open");
    using _listener = Deno.listen({ transport: "unix", path });
    await Deno.chmod(path, 0o666);
    await refused(path, /open to others/, "foreign-socket");
  });
  await t.step("a symbolic link to a socket", async () => {
    const path = join(world.home.path, "linked");
    await new Deno.Command("ln", { args: ["-s", join(world.home.path, "open"), path] }).output();
    await refused(path, /there is something else than a socket/, "foreign-socket");
  });
  await t.step("a socket of somebody else's", async () => {
    if (Deno.uid() !== 0) return; // only root can make one
    const path = join(world.home.path, "foreign");
    using _listener = Deno.listen({ transport: "unix", path });
    await Deno.chown(path, 12345, 12345);
    await Deno.chmod(path, 0o600);
    await refused(path, /belongs to somebody else/, "foreign-socket");
  });
  await t.step("a path that is too long", async () => {
    await refused(join(world.home.path, "x".repeat(100)), /a socket path may have at most/, "bad-path");
  });
});

Deno.test("a directory in which others could replace the socket is refused for -M -S, before dialling", async (t) => {
  await using world = await KeeperWorld.make();
  const directory = join(world.home.path, "dir");
  const open = async () => {
    const path = join(directory, "cm");
    const r = await world.run(["open", "-F", world.configFile, "-M", "-S", path, "test"]);
    return r.code === 0 ? "bound" : r.stderr;
  };
  await t.step("that is not there", async () => assertMatch(await open(), /there is no such directory/));
  await Deno.mkdir(directory);
  await t.step("that others may write to", async () => {
    await Deno.chmod(directory, 0o777);
    assertMatch(await open(), /others may write to it/);
  });
  await t.step("that belongs to somebody else", async () => {
    if (Deno.uid() !== 0) return; // only root can make one
    await Deno.chmod(directory, 0o755);
    await Deno.chown(directory, 12345, 12345);
    assertMatch(await open(), /it belongs to somebody else/);
    await Deno.chown(directory, Deno.uid()!, Deno.gid()!);
  });
  assertEquals([world.sshd.connections(), world.keeperPids()], [0, []]);
  await t.step("a sticky one is as good as /tmp", async () => {
    await Deno.chmod(directory, 0o1777);
    assertEquals(await open(), "bound");
  });
});

Deno.test("a ControlPath of ssh_config that cannot be used is left alone, with one line", async () => {
  await using world = await KeeperWorld.make();
  const path = await world.home.write("file", "precious");
  const prompter = new Scripted();
  await using host = await world.connect({ prompter, configFile: await withControlPath(world, path) });
  assertEquals((await host.exec("echo ran")).stdout, "ran\n");
  assertEquals(prompter.notices.length, 1);
  assertMatch(prompter.notices[0], /The ControlPath is not used: .*something else than a socket/);
  assertEquals((await world.masters()).length, 1);
});

Deno.test("a dead socket at a ControlPath is replaced by -M -S, and left alone by others", async () => {
  await using world = await KeeperWorld.make();
  const path = join(world.home.path, "cm");
  const listener = Deno.listen({ transport: "unix", path: `${path}.born` });
  await Deno.link(`${path}.born`, path);
  listener.close(); // removes the name that it was bound to, no other
  await Deno.chmod(path, 0o600);
  const inode = (await Deno.lstat(path)).ino;
  const r = await world.exec("echo ran", ["-S", path]);
  assertEquals([r.stdout, r.stderr, (await Deno.lstat(path)).ino], ["ran\n", "", inode]);
  const open = await world.run(["open", "-F", world.configFile, "-M", "-S", path, "test"]);
  assertEquals([open.stderr, open.code], ["", 0]);
  assertEquals((await world.exec("echo ran", ["-S", path])).stdout, "ran\n");
  assertEquals(world.sshd.connections(), 2);
});

Deno.test("a keeper whose directory vanishes lets its sessions finish and leaves", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect();
  const session = await host.spawn("read line; echo got $line");
  const [pid] = world.keeperPids();
  await Deno.remove(world.place.directory, { recursive: true });
  const other = await world.exec("echo other"); // by a keeper in a new directory
  assertEquals([other.stdout, other.stderr, world.sshd.connections()], ["other\n", "", 2]);
  await world.log.waitFor(new RegExp(`\\[${pid}\\] keeper drains`));
  const writer = session.stdin.getWriter();
  await writer.write(new TextEncoder().encode("it\n"));
  await writer.close();
  assertEquals(await new Response(session.stdout).text(), "got it\n");
  await gone([pid]);
  assertEquals((await host.exec("echo moved")).stdout, "moved\n");
  assertEquals(world.sshd.connections(), 2);
});

Deno.test("a host that cannot be reached is told as such, and keeps nothing alive", async () => {
  await using world = await KeeperWorld.make();
  await world.sshd.stop();
  const error = await assertRejects(() => world.connect(), LinkError);
  assertEquals([error.code, error.outcome], ["refused", "not-started"]);
  await until(() => /keeper ends/.test(world.logText()));
  assertEquals(world.sockets(), []);
});

async function withControlPath(world: KeeperWorld, path: string): Promise<string> {
  const config = await Deno.readTextFile(world.configFile);
  return await world.home.write(".ssh/with_path", `ControlPath ${path}\n${config}`);
}
