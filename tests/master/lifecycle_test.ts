import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { connect } from "../../lib/host/connect.ts";
import { run } from "../support/run.ts";
import { KeeperWorld, Scripted, until } from "./keeper_world.ts";

/** How a host is connected: over the keeper, or by a connection of its own. */
async function sharing(world: KeeperWorld, options: Parameters<KeeperWorld["connect"]>[0]) {
  const prompter = (options?.prompter ?? new Scripted()) as Scripted;
  await using host = await world.connect({ ...options, prompter });
  assertEquals((await host.exec("echo ran")).stdout, "ran\n");
  const shared = (await world.masters()).length > 0;
  return { shared, notices: prompter.notices, asked: prompter.asked };
}

Deno.test("connections that are not to be shared start no keeper", async (t) => {
  await using world = await KeeperWorld.make();
  const path = join(world.home.path, "cm");
  const ways = {
    "controlMaster no": { controlMaster: "no" },
    "ControlMaster no in ssh_config": { configLines: ["ControlMaster no"] },
    "controlPath none": { controlPath: "none" },
    "ControlPath none in ssh_config": { configLines: ["ControlPath none"] },
    "share false": { share: false },
    "share false with a control path": { share: false, controlPath: path },
  } as const;
  for (const [name, options] of Object.entries(ways)) {
    await t.step(name, async () => {
      const { shared, notices } = await sharing(world, options);
      assertEquals([shared, notices, world.keeperPids()], [false, [], []]);
    });
  }
  for (const flags of [["-S", "none"], ["--fresh"], ["--no-share"], ["-o", "ControlMaster=no"]]) {
    await t.step(`carpool exec ${flags.join(" ")}`, async () => {
      const r = await world.exec("echo ran", flags);
      assertEquals([r.stdout, r.stderr, world.keeperPids()], ["ran\n", "", []]);
    });
  }
});

Deno.test("controlMaster auto and yes share", async (t) => {
  for (const controlMaster of ["auto", "yes"] as const) {
    await t.step(controlMaster, async () => {
      await using world = await KeeperWorld.make();
      assertEquals((await sharing(world, { controlMaster })).shared, true);
      assertEquals((await sharing(world, { controlMaster })).shared, true);
      assertEquals(world.sshd.connections(), 1);
    });
  }
});

Deno.test("controlMaster ask and autoask share when the answer is yes", async (t) => {
  for (const controlMaster of ["ask", "autoask"] as const) {
    await t.step(`${controlMaster}: yes, no, nobody to ask`, async () => {
      await using world = await KeeperWorld.make();
      const no = await sharing(world, { controlMaster, prompter: new Scripted("no") });
      assertEquals([no.shared, no.asked.length], [false, 1]);
      const nobody = await sharing(world, { controlMaster });
      assertEquals([nobody.shared, nobody.notices.length], [false, 1]);
      assertMatch(nobody.notices[0], /nobody can answer/);
      const yes = await sharing(world, { controlMaster, prompter: new Scripted("yes") });
      assertEquals([yes.shared, yes.asked.length], [true, 1]);
    });
  }
});

Deno.test("controlPersist says how long a master lingers", async (t) => {
  await using world = await KeeperWorld.make();
  const minutes = async (controlPersist: string | number | boolean | undefined) => {
    const host = await world.connect({ controlPersist });
    await host.exec("true");
    await host.close();
    let [info] = await world.masters();
    // The session is over for the master when the server has said so, perhaps a moment after us.
    while (controlPersist !== "yes" && controlPersist !== true && info.lingersUntil === null) {
      [info] = await world.masters();
    }
    await world.exitAll();
    await until(async () => (await world.masters()).length === 0);
    if (info.lingersUntil === null) return null;
    return Math.round((Date.parse(info.lingersUntil) - Date.parse(info.startedAt)) / 60_000);
  };
  const expected = [
    [undefined, 10],
    ["yes", null],
    [true, null],
    ["1h30m", 90],
    [7200, 120],
    ["3w", 3 * 7 * 24 * 60],
  ] as const;
  for (const [value, lingers] of expected) {
    await t.step(String(value), async () => assertEquals(await minutes(value), lingers));
  }
});

Deno.test("a master without controlPersist leaves with its last passenger", async () => {
  await using world = await KeeperWorld.make();
  const first = await world.connect({ controlPersist: "no" });
  const second = await world.connect({ controlPersist: "no" });
  await first.exec("true");
  await first.close();
  assertEquals((await second.exec("echo ran")).stdout, "ran\n");
  await second.close();
  await world.log.waitFor(/leaves \(last passenger left\)/);
  assertEquals(world.sshd.connections(), 1);
});

Deno.test("the linger time starts when the last session has left, and looking does not prolong it", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect({ controlPersist: 2 });
  const session = await host.spawn("read line");
  const [held] = await world.masters();
  assertEquals([held.sessions, held.lingersUntil], [1, null]);
  const writer = session.stdin.getWriter();
  await writer.write(new TextEncoder().encode("\n"));
  assertEquals((await session.status).code, 0);
  await until(async () => (await world.masters())[0].lingersUntil !== null);
  const [{ lingersUntil }] = await world.masters();
  const check = await world.run(["check", "-F", world.configFile, "test"]);
  assertMatch(check.stdout, /^Master running \(pid=\d+\)/);
  const [after] = await world.masters();
  assertEquals([after.sessions, after.lingersUntil], [0, lingersUntil]);
  // Our passenger, without a session, does not hold it.
  await world.log.waitFor(/leaves \(lingered\)/);
});

Deno.test("a session that comes within the linger time breaks it off", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect({ controlPersist: "1h" });
  await host.exec("true");
  await until(async () => (await world.masters())[0].lingersUntil !== null);
  const session = await host.spawn("read line");
  assertEquals((await world.masters())[0].lingersUntil, null);
  await session.stdin.close();
  await session.status;
  assertEquals(world.sshd.connections(), 1);
});

Deno.test("carpool open starts the master, finds it again, and leaves it", async () => {
  await using world = await KeeperWorld.make();
  const flags = ["-F", world.configFile, "-o", "ControlPersist=yes"];
  const first = await world.run(["open", ...flags, "test"]);
  assertMatch(first.stdout, /^test: connected, .*\.sock\n$/);
  const again = await world.run(["open", ...flags, "test"]);
  assertMatch(again.stdout, /^test: was open, .*\.sock\n$/);
  const [info] = await world.masters();
  assertEquals([info.sessions, info.lingersUntil, info.kind], [0, null, "carpool"]);
  assertEquals(world.sshd.connections(), 1);
});

Deno.test("carpool open -M -S binds the socket where it is told, for ssh to ride", async () => {
  await using world = await KeeperWorld.make();
  const path = join(world.home.path, "cm");
  const opened = await world.run(["open", "-F", world.configFile, "-M", "-S", path, "test"]);
  assertEquals(opened.stdout, `test: connected, ${path}\n`);
  const info = await Deno.lstat(path);
  assertEquals([info.isSocket, info.mode! & 0o777], [true, 0o600]);
  const { ssh, env } = world.sshd.openssh;
  const check = await run(ssh, ["-F", "none", "-S", path, "-O", "check", "test"], { env });
  assertMatch(check.stderr, /^Master running/);
  await ridesThere(world, path);
  const stopped = await run(ssh, ["-F", "none", "-S", path, "-O", "exit", "test"], { env });
  assertMatch(stopped.stderr, /^Exit request sent/);
  await until(() => Deno.lstat(path).then(() => false, () => true));
});

/** -S names the master that was bound there: nothing new is made. */
async function ridesThere(world: KeeperWorld, path: string): Promise<void> {
  const r = await world.exec("echo ran", ["-S", path]);
  assertEquals([r.stdout, r.stderr, world.sshd.connections()], ["ran\n", "", 1]);
}

Deno.test("a master that is stopped takes nobody new and lets its sessions finish", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect();
  const session = await host.spawn("read line; echo got $line");
  const stop = await world.run(["stop", "-F", world.configFile, "test"]);
  assertEquals([stop.stdout, stop.code], ["Stop listening request sent.\n", 0]);
  assertEquals(await world.masters(), []);
  const other = await world.exec("echo other");
  assertEquals([other.stdout, world.sshd.connections()], ["other\n", 2]);
  const writer = session.stdin.getWriter();
  await writer.write(new TextEncoder().encode("it\n"));
  await writer.close();
  assertEquals(await new Response(session.stdout).text(), "got it\n");
  assertEquals((await session.status).code, 0);
  await world.log.waitFor(/leaves \(stopped\)/);
  // What comes after it moves to the new one by itself.
  assertEquals((await host.exec("echo moved")).stdout, "moved\n");
  assertEquals(world.sshd.connections(), 2);
});

Deno.test("a master that exits ends its sessions; their end is not known", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect();
  const session = await host.spawn("echo started; sleep 60");
  await session.stdout.getReader().read();
  const exit = await world.run(["exit", "-F", world.configFile, "test"]);
  assertEquals([exit.stdout, exit.code], ["Exit request sent.\n", 0]);
  assertEquals((await session.status).outcome, "unknown");
  assertEquals((await host.exec("echo anew")).stdout, "anew\n");
  assertEquals(world.sshd.connections(), 2);
});

Deno.test("check, stop and exit say that there is no master, with status 255", async () => {
  await using world = await KeeperWorld.make();
  for (const command of ["check", "stop", "exit"]) {
    const r = await world.run([command, "-F", world.configFile, "test"]);
    assertEquals([r.code, r.stderr], [255, "carpool: no master for test\n"]);
  }
  assertEquals([world.keeperPids(), world.sshd.connections()], [[], 0]);
});

Deno.test("exit --all ends every master, and then the keeper", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.1", "127.0.0.2"] });
  for (const name of ["test1", "test2"]) {
    await using host = await connect(name, world.options());
    await host.exec("true");
  }
  assertEquals((await world.masters()).length, 2);
  const r = await world.run(["exit", "--all"]);
  assertEquals([r.stdout, r.code], ["Exit request sent to all masters.\n", 0]);
  await world.log.waitFor(/keeper ends/);
  assertEquals(world.sockets(), []);
  const none = await world.run(["exit", "--all"]);
  assertEquals([none.stdout, none.code], ["no masters\n", 0]);
});

Deno.test("an active forward holds the master, and its end lets it go", async () => {
  await using world = await KeeperWorld.make();
  const path = join(world.home.path, "cm");
  const flags = ["-F", world.configFile, "-o", "ControlPersist=1", "-M", "-S", path];
  assertEquals((await world.run(["open", ...flags, "test"])).code, 0);
  const { ssh, env } = world.sshd.openssh;
  const socket = join(world.home.path, "fw");
  const forward = (command: string) =>
    run(ssh, [
      "-F",
      "none",
      "-S",
      path,
      "-O",
      command,
      "-L",
      `${socket}:127.0.0.1:${world.sshd.port}`,
      "test",
    ], {
      env,
    });
  const opened = await forward("forward");
  assertEquals([opened.code, opened.stderr], [0, ""]);
  assertEquals((await world.masters())[0].lingersUntil, null);
  assert((await Deno.lstat(socket)).isSocket);
  assertEquals((await forward("cancel")).code, 0);
  await world.log.waitFor(/leaves \(lingered\)/);
});

Deno.test("a remote forward of a process that rides holds the master, and its end lets it go", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect({ controlPersist: 1 });
  await host.exec("true");
  {
    await using _forward = await host.forward({ remote: 0, to: `127.0.0.1:${world.sshd.port}` });
    await until(async () => (await world.masters())[0].sessions === 0);
    assertEquals((await world.masters())[0].lingersUntil, null);
  }
  await world.log.waitFor(/leaves \(lingered\)/);
});

Deno.test("ControlPersist=0 lingers for ever, as ssh_config(5) says", async () => {
  await using world = await KeeperWorld.make();
  await using host = await world.connect({ configLines: ["ControlPersist 0"] });
  await host.exec("true");
  await until(async () => (await world.masters())[0].sessions === 0);
  assertEquals((await world.masters())[0].lingersUntil, null);
});

Deno.test("abort ends the wait for a master with the very reason", async () => {
  await using world = await KeeperWorld.make();
  const reason = new DOMException("mine", "AbortError");
  await assertRejects(() => world.connect({ signal: AbortSignal.abort(reason) }), DOMException, "mine");
});
