import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { readWarmCommand } from "../../lib/cli/warm_exec.ts";
import { COMMAND, KeeperWorld } from "../master/keeper_world.ts";
import { run } from "../support/run.ts";

Deno.test("the short way of exec takes connection options, a host and a command, and nothing else", () => {
  const words = (...args: string[]) => readWarmCommand(args)?.question.words;
  assertEquals(words("web1", "--", "uptime"), ["web1"]);
  assertEquals(words("-F", "x", "-p", "22", "u@web1", "--", "a", "b"), ["-F", "x", "-p", "22", "u@web1"]);
  assertEquals(readWarmCommand(["-n", "web1", "--", "a", "b"])?.command, "a b");
  assertEquals(words("-v", "web1", "--", "a"), ["web1"]);
  for (
    const args of [
      [],
      ["web1"],
      ["web1", "uptime"],
      ["web1", "--"],
      ["web[1-2]", "--", "true"],
      ["web1,web2", "--", "true"],
      ["@web", "--", "true"],
      ["-t", "web1", "--", "true"],
      ["--no-share", "web1", "--", "true"],
      ["-S", "none", "web1", "--", "true"],
      ["--help"],
      ["-F"],
    ]
  ) assertEquals(words(...args), undefined, args.join(" "));
});

/** The records in the keeper's directory, with how often each was looked at by nobody: their contents. */
function records(world: KeeperWorld): string[] {
  const { directory } = world.place;
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) =>
    /^w.*json$/.test(name)
  );
  return names.map((name) => Deno.readTextFileSync(join(directory, name)));
}

Deno.test("exec on a warm master takes the short way, and the long one when anything has changed", async (t) => {
  await using world = await KeeperWorld.make();
  const { sshd, home } = world;
  const exec = (command: string, stdin?: string, ...more: string[]) =>
    world.run(["exec", ...more, "-F", world.configFile, "test", "--", command], { cwd: home.path, stdin });
  const socket = () => world.sockets().find((name) => name.startsWith("m"));
  await t.step("the first command writes a record, readable by its owner alone", async () => {
    const first = await exec("echo one", "", "-v");
    assertEquals(first.stdout, "one\n");
    assertMatch(first.stderr, new RegExp(`^Started the master of \\S+:\\d+: .*${socket()}\n$`));
    assertEquals(records(world).length, 1);
    const { directory } = world.place;
    for (const { name } of Deno.readDirSync(directory)) {
      assertEquals((Deno.statSync(join(directory, name)).mode ?? 0) & 0o077, 0, name);
    }
  });
  await t.step("the second passes output, input and status on as the first did", async () => {
    const r = await exec("cat; echo err >&2; exit 9", "input");
    assertEquals([r.code, r.stdout, r.stderr], [9, "input", "err\n"]);
    const large = await exec("head -c 3000000 /dev/zero | tr '\\0' x");
    assertEquals([large.code, large.stdout.length], [0, 3_000_000]);
    const killed = await exec("kill -9 $$");
    assertEquals(killed.code, 255);
    assertMatch(killed.stderr, /^carpool: The command did not end by itself: .*: SIGKILL ended it\n$/);
    assertEquals(sshd.connections(), 1);
  });
  await t.step(
    "it touches no timer: the first use of one loads Deno's imitation of Node's, 5 ms",
    async () => {
      // A program that is preloaded sees every use of the names.
      const spy = await home.write(
        "spy.js",
        `for (const name of ["setTimeout", "clearTimeout", "setInterval"]) {
        Object.defineProperty(globalThis, name, { get() { throw new Error("timer " + name); } });
      }`,
      );
      const flags = ["run", "--quiet", "-A", "--no-config", "--no-lock", "--no-check", `--preload=${spy}`];
      const spied = (...args: string[]) =>
        run(Deno.execPath(), [...flags, ...args], {
          env: home.env,
          clearEnv: true,
          cwd: home.path,
          stdin: "in",
        });
      const args = ["exec", "-F", world.configFile, "test", "--", "cat; exit 4"];
      const r = await spied(COMMAND, ...args);
      assertEquals([r.code, r.stdout, r.stderr], [4, "in", ""]);
      const one = await home.write("one.js", "setTimeout(() => {});");
      assertMatch((await spied(one)).stderr, /timer setTimeout/);
    },
  );
  await t.step("what it says of the host comes from the record: it was not looked up again", async () => {
    const { directory } = world.place;
    const [name] = [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) =>
      /^w.*json$/.test(name)
    );
    const text = await Deno.readTextFile(join(directory, name));
    const marked = text.replace(/"where":"[^"]*"/, '"where":"marked@record:1"');
    assertNotEquals(marked, text);
    await Deno.writeTextFile(join(directory, name), marked);
    assertMatch((await exec("kill -9 $$")).stderr, /marked@record:1: SIGKILL ended it/);
    await Deno.writeTextFile(join(directory, name), text);
  });
  await t.step(
    "it says which master it rides where more is to be said, and so does the long way",
    async () => {
      const line = new RegExp(`^Riding the master of \\S+:\\d+: .*${socket()}\n$`);
      assertMatch((await exec("true", "", "-v")).stderr, line);
      assertMatch((await exec("true", "", "-v", "--cwd", "/")).stderr, line);
    },
  );
  await t.step("a changed ssh_config counts at once", async () => {
    const config = await Deno.readTextFile(world.configFile);
    await Deno.writeTextFile(world.configFile, config.replace(/^Host .*$/m, "$&\n  Port 1"));
    assertEquals((await exec("echo two")).code, 255);
    await Deno.writeTextFile(world.configFile, config);
    assertEquals((await exec("echo two")).stdout, "two\n");
  });
  await t.step("an inventory that appears counts at once", async () => {
    const file = await home.write("inventory.yaml", "groups:\n  test: [other.invalid]\n");
    assertEquals((await exec("echo three")).code, 255);
    await Deno.remove(file);
  });
  await t.step("a master that has left is made anew", async () => {
    const before = sshd.connections();
    await world.exitAll();
    assertEquals((await exec("echo four")).stdout, "four\n");
    assert(sshd.connections() > before);
  });
  await t.step("a record that is broken or of somebody else's making is passed over", async () => {
    const { directory } = world.place;
    for (const { name } of Deno.readDirSync(directory)) {
      if (/^w.*json$/.test(name)) await Deno.writeTextFile(join(directory, name), "{");
    }
    assertEquals((await exec("echo five")).stdout, "five\n");
  });
});

Deno.test("a ControlPath of ssh_config leaves the short way open until something lies there", async () => {
  await using world = await KeeperWorld.make();
  const { home } = world;
  const path = join(home.path, "cm");
  const args = ["exec", "-F", world.configFile, "-o", `ControlPath=${path}`, "test", "--"];
  const exec = (command: string) => world.run([...args, command], { cwd: home.path });
  assertEquals((await exec("echo one")).stdout, "one\n");
  const [text] = records(world);
  const [name] = [...Deno.readDirSync(world.place.directory)].map(({ name }) => name).filter((name) =>
    /^w.*json$/.test(name)
  );
  // Whoever goes the short way takes the record's word for where it is.
  const marked = text.replace(/"where":"[^"]*"/, '"where":"marked@record:1"');
  await Deno.writeTextFile(join(world.place.directory, name), marked);
  assertMatch((await exec("kill -9 $$")).stderr, /marked@record:1: SIGKILL ended it/);
  await home.write("cm", "");
  assertMatch((await exec("kill -9 $$")).stderr, /: tester@\S+:\d+: SIGKILL/);
  await Deno.remove(path);
  assertMatch((await exec("kill -9 $$")).stderr, /marked@record:1: SIGKILL ended it/);
});
